package delivery

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// The items of DeliveriesTable. A delivery is stored under its lane and place. The
// parts of its body are stored under ID#<vcs>#<id>; the first part also reserves
// the id. The hash that recognises the body of a Timeless delivery is stored under
// ID#<vcs>#<installation>.<its SHA-256>. A delivery that is not over has the
// attributes due_in and due (Unix milliseconds), which put it into the index
// by_due.
const idPrefix = "ID#"

// Names of the attributes of a delivery and of the parts of its body.
const (
	attrID          = "id"
	attrEvent       = "event"
	attrAction      = "action"
	attrRepository  = "repository"
	attrState       = "state"
	attrParts       = "parts"
	attrRepeated    = "repeated"
	attrProblem     = "problem"
	attrProcessedAt = "processed_at"
	attrNextTry     = "next_try"
	attrApplied     = "applied"
	attrBegun       = "begun"
	attrTries       = "tries"
	attrRedelivered = "redelivered" // how often the tries began anew
	attrRevived     = "revived"     // how often because the host sent it again
	attrDueIn       = "due_in"      // the list of the index
	attrDue         = "due"
	attrBody        = "body"  // of a part
	attrLane        = "lane"  // of the first part: pk of the delivery
	attrPlace       = "place" // of the first part: sk of the delivery
)

func (k Key) item() attr.Item {
	return attr.Item{"pk": attr.String(k.Lane), "sk": attr.String(k.Place)}
}

func partKey(system vcs.VCS, id string, part int) attr.Item {
	return attr.Item{"pk": attr.String(idPrefix + string(system) + "#" + id), "sk": attr.String(fmt.Sprintf("BODY#%02d", part))}
}

// bodyKey is the key of the item that recognises the body of a Timeless delivery.
func (d Delivery) bodyKey(body []byte) attr.Item {
	sum := sha256.Sum256(body)
	return attr.Item{"pk": attr.String(idPrefix + string(d.Installation.VCS) + "#" + ID(d.Installation.ID, hex.EncodeToString(sum[:]))), "sk": attr.String("SEEN")}
}

// millis writes a time so that texts sort as times do. It works until the year
// 2286.
func millis(t time.Time) string { return fmt.Sprintf("%013d", t.UnixMilli()) }

func (d Delivery) item() attr.Item {
	item := d.Key().item()
	for name, value := range map[string]string{
		attrID: d.ID, attrEvent: d.Event, attrAction: d.Action, attrRepository: string(d.Repository), attrProblem: d.Problem,
	} {
		if value != "" {
			item[name] = attr.String(value)
		}
	}
	item[attrState], item[attrParts] = attr.String(string(d.State)), attr.Int(int64(d.parts))
	if d.Repeated {
		item[attrRepeated] = attr.Bool(true)
	}
	item["ttl"] = attr.Time(d.ReceivedAt.Add(Keep))
	return item
}

// decode reads a delivery's item.
func decode(item attr.Item) (Delivery, error) {
	r := attr.Read(item)
	lane, place := r.String("pk"), r.String("sk")
	at, _, _ := strings.Cut(place, "#")
	arrived, err := strconv.ParseInt(at, 10, 64)
	d := Delivery{
		ID: r.String(attrID), Event: r.String(attrEvent), Action: r.String(attrAction),
		Installation: ofLane(lane), Repository: vcs.ID(r.String(attrRepository)), ReceivedAt: time.UnixMilli(arrived).UTC(),
		State: State(r.String(attrState)), Tries: int(r.Int(attrTries)), Begun: int(r.Int(attrBegun)), Applied: int(r.Int(attrApplied)),
		Repeated: r.Bool(attrRepeated),
		Problem:  r.String(attrProblem), ProcessedAt: r.Time(attrProcessedAt),
		parts: int(r.Int(attrParts)), redelivered: r.Int(attrRedelivered),
	}
	if r.Has(attrNextTry) {
		d.NextTry = time.UnixMilli(r.Int(attrNextTry)).UTC()
	}
	if err := errors.Join(err, r.Err()); err != nil {
		return Delivery{}, fmt.Errorf("decode delivery %s %s: %w", lane, place, err)
	}
	return d, nil
}

// pack compresses a body.
func pack(body []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return buf.Bytes(), err
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
