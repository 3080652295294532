package evaluator_test

import (
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

// BenchmarkPush evaluates a push to a pull request of one directory, in repositories of
// several sizes: from the request to the run that is queued. The stand-in for the host is
// in the same process, and its time counts.
func BenchmarkPush(b *testing.B) {
	for _, dirs := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("directories=%d", dirs), func(b *testing.B) {
			files := map[string]string{}
			for i := range dirs {
				files[fmt.Sprintf("team-%02d/service-%05d/main.tf", i%40, i)] = "a"
			}
			r := newRig(b, files)
			n := r.open("change", map[string]string{"team-00/service-00000/main.tf": "b"})
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				_, err := r.host.Push(named, "change", ann, bytesOf(map[string]string{"team-00/service-00000/main.tf": fmt.Sprint("c", i)}))
				r.must(err)
				b.StartTimer()
				r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: ann.Login, SenderID: "1"})
			}
		})
	}
}
