package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps deliveries in DeliveriesTable.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of DeliveriesTable.
	Table string
}

// Accept stores a delivery that has just arrived, and its body, in one transaction.
// It reports whether the delivery is new. If its id is stored already, nothing
// changes, unless the stored delivery is stuck or dismissed. Then the stored
// delivery is processed again, up to MaxRedelivered times, because the host has
// sent it again for that. If the body of a Timeless delivery arrived before, under
// another id, the delivery is stored as Repeated. If a body compresses to more than
// MaxBody, Accept returns a TooLarge fault.
func (s Store) Accept(ctx context.Context, d Delivery, body []byte) (bool, error) {
	packed, err := pack(body)
	if err != nil {
		return false, fmt.Errorf("compress body: %w", err)
	}
	if len(packed) > MaxBody {
		return false, fault.TooLargef("DELIVERY_TOO_LARGE", "the body has %d bytes when compressed; at most %d are kept", len(packed), MaxBody)
	}
	d.State, d.parts = Received, max(1, (len(packed)+partSize-1)/partSize)
	puts := s.queue().Add(d.item(), d.ID, received(d.ID, d.ReceivedAt))
	for i := range d.parts {
		item := partKey(d.Installation.VCS, d.ID, i)
		item[attrBody] = attr.Bytes(packed[i*partSize : min(len(packed), (i+1)*partSize)])
		item["ttl"] = attr.Time(d.ReceivedAt.Add(Keep))
		if i > 0 {
			puts = append(puts, s.table().WritePut(item))
			continue
		}
		item[attrLane], item[attrPlace] = attr.String(d.Key().Lane), attr.String(d.Key().Place)
		puts = append(puts, s.table().WriteNew(item))
	}
	if d.Timeless && !d.Repeated {
		item := d.bodyKey(body)
		item["ttl"] = attr.Time(d.ReceivedAt.Add(Remember))
		puts = append(puts, s.table().WritePut(item, table.Absent("pk")))
	}
	err = s.table().Transact(ctx, puts...)
	// GitHub never sends a delivery a second time by itself.
	if first, known := table.ConditionFailedAt(err, 1); known {
		return false, s.again(ctx, d, first)
	}
	if _, copied := table.ConditionFailedAt(err, len(puts)-1); copied && d.Timeless && !d.Repeated {
		d.Repeated = true
		return s.Accept(ctx, d, body)
	}
	if err != nil {
		return false, fmt.Errorf("store delivery: %w", err)
	}
	return true, nil
}

// Get reads a delivery by its id. It returns fault.ErrNotFound if there is none.
func (s Store) Get(ctx context.Context, system vcs.VCS, id string) (Delivery, error) {
	item, err := s.read(ctx, partKey(system, id, 0))
	if err != nil {
		return Delivery{}, err
	}
	r := attr.Read(item)
	item, err = s.read(ctx, Key{Lane: r.String(attrLane), Place: r.String(attrPlace)}.item())
	if err != nil {
		return Delivery{}, err
	}
	return decode(item)
}

// Body reads what the host sent. d must come from the store.
func (s Store) Body(ctx context.Context, d Delivery) ([]byte, error) {
	var packed []byte
	for i := range d.parts {
		item, err := s.read(ctx, partKey(d.Installation.VCS, d.ID, i))
		if err != nil {
			return nil, err
		}
		packed = append(packed, attr.Read(item).Bytes(attrBody)...)
	}
	body, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("body of delivery %s: %w", d.ID, err)
	}
	return body, nil
}

func (s Store) read(ctx context.Context, key attr.Item) (attr.Item, error) {
	item, err := s.table().Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read delivery: %w", err)
	}
	if len(item) == 0 {
		return nil, fault.ErrNotFound
	}
	return item, nil
}

// Query selects the deliveries of an installation that List returns.
type Query struct {
	// Before is the time before which they arrived.
	Before time.Time
	// State is their state. Empty selects every state.
	State State
	// Limit is the maximum number of deliveries. It is 1 or more.
	Limit int
}

// List returns the newest deliveries of an installation, the newest first. If the
// installation has no id, it returns deliveries that name none.
func (s Store) List(ctx context.Context, installation vcs.Installation, q Query) ([]Delivery, error) {
	read := table.Query{Backward: true, Key: []table.Condition{
		table.Equal("pk", attr.String(Lane(installation))), table.Less("sk", attr.String(millis(q.Before))),
	}}
	if q.State == "" {
		read.Limit = q.Limit
	} else { // the filter runs after the read, so whole pages are read
		read.Filter = []table.Condition{in(q.State)}
	}
	var list []Delivery
	for page, err := range s.table().Pages(ctx, read) {
		if err != nil {
			return nil, fmt.Errorf("list deliveries: %w", err)
		}
		for _, item := range page.Items {
			d, err := decode(item)
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
		if len(list) >= q.Limit {
			break
		}
	}
	return list[:min(len(list), q.Limit)], nil
}
