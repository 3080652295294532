//go:build unix

package journey

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// overtaken is a round in which a delete of a key runs beside a write of the key's row 7.
type overtaken struct {
	key     string
	deleted bool // whether the delete responded that it removed the key
	there   bool // whether the row exists in the end
}

// TestDeleteOfAKeyBesideAWriteLosesNothing starts both within 20 ms. It uses keys whose only
// row was removed, and keys that have a row.
func TestDeleteOfAKeyBesideAWriteLosesNothing(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	var rounds []overtaken
	for n := range 24 {
		r := overtaken{key: fmt.Sprint("overtaken", n)}
		path := in.Path("key", r.key)
		emptied := n%2 == 0
		c.Do(t, "PUT", path, `{"idx":1,"data":1}`).Want(t, 200)
		if emptied {
			c.Do(t, "DELETE", path+"?idx=1", "").WantBody(t, `{"result":true}`)
		}
		var both errgroup.Group
		var answer Response
		both.Go(func() (err error) {
			answer, err = c.Try("DELETE", path, "")
			return err
		})
		both.Go(func() error {
			time.Sleep(time.Duration(n) * 20 * time.Millisecond / 24)
			resp, err := c.Try("PUT", path, `{"idx":7,"data":7}`)
			if err == nil && resp.Status != 200 {
				err = fmt.Errorf("write of row 7: got %v, want 200", resp)
			}
			return err
		})
		if err := both.Wait(); err != nil {
			t.Fatal(err)
		}
		r.deleted = string(answer.Body) == `{"result":true}`
		r.there = c.Do(t, "GET", path+"?idx=7", "").Status == 200
		switch {
		case emptied && !r.deleted && !r.there:
			t.Errorf("%s: the write was acknowledged, the delete removed nothing, and the row is gone", r.key)
		case !emptied && !r.deleted:
			t.Errorf("%s: the delete answers %v, and there was a row", r.key, answer)
		}
		rounds = append(rounds, r)
	}
	for _, r := range rounds {
		await(t, "trail of "+r.key+" that ends as the row does", func() bool { return r.toldBy(t, c, in) })
	}
}

// toldBy reports whether the trail agrees with the outcome: its last record of row 7 says
// whether the row exists, and it has a removal of the key only if the delete responded so.
func (r overtaken) toldBy(t *testing.T, c *Client, in Installation) bool {
	t.Helper()
	var trail struct {
		Results []struct {
			Action string `json:"action"`
			Idx    *int   `json:"idx"`
		} `json:"results"`
	}
	c.Do(t, "GET", "/api/v1/audit?vcs=github&installation_id="+in.ID+"&key="+r.key, "").Want(t, 200).Read(t, &trail)
	removals, last := 0, ""
	for _, told := range trail.Results { // the newest first
		if told.Idx == nil {
			removals++
		}
		if last == "" && (told.Idx == nil || *told.Idx == 7) {
			last = told.Action
		}
	}
	return (removals == 1) == r.deleted && (last == "key.write") == r.there
}
