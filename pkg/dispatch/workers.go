package dispatch

import (
	"context"
	"encoding/json"
	"fmt"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/maintenance"
)

// A Heartbeat is the entry that a living worker writes about itself, once a second.
type Heartbeat = liveness.Heartbeat

// Workers gives the heartbeats of the workers that are alive.
func (q *Queue) Workers(ctx context.Context) ([]Heartbeat, error) {
	var beats []Heartbeat
	for e, err := range q.records.Store.List(ctx, driver.Query{Space: driver.Workers}) {
		if err != nil {
			return nil, fmt.Errorf("dispatch: list workers: %w", err)
		}
		var h Heartbeat
		if e.Key == maintenance.TurnKey {
			continue
		}
		if json.Unmarshal(e.Value, &h) == nil {
			beats = append(beats, h)
		}
	}
	return beats, nil
}
