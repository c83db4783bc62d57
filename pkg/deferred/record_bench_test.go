package deferred_test

import (
	"encoding/json"
	"testing"
	"time"

	"zasync/pkg/deferred"
)

// claimed is what a worker writes when it takes a call.
func claimed() deferred.Record {
	return deferred.Record{
		ID: "1764000000123456789012", Name: "image/resize", Queue: "default", State: deferred.Running,
		Attempt: 1, Retries: 10, Seen: true,
		Token:     deferred.Token{Worker: "RZ4JMJ2D6ZTPZFVH5Q7W3XNBKC", Attempt: 1},
		Digest:    "9f86d081884c7d659a2feaa0c55ad015",
		Submitted: time.Date(2026, 11, 23, 17, 0, 0, 123456789, time.UTC),
		Started:   time.Date(2026, 11, 23, 17, 0, 0, 223456789, time.UTC),
	}
}

// committed is what a worker writes when the call has succeeded.
func committed() deferred.Record {
	r := claimed()
	r.State, r.Settled = deferred.Succeeded, r.Started.Add(time.Second)
	r.Result = deferred.Content{Type: deferred.TypeMessagePack, Data: append([]byte{0xd9, 198}, make([]byte, 198)...)}
	return r
}

func BenchmarkRecord(b *testing.B) {
	for name, r := range map[string]deferred.Record{"claim": claimed(), "result": committed()} {
		data, err := r.AppendJSON(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("append/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.AppendJSON(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("marshal/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("read/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r deferred.Record
				if err := r.UnmarshalJSON(data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("unmarshal/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r deferred.Record
				if err := json.Unmarshal(data, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
