package journal

// States: what may follow what. The table is data (sync/wire/catalogue/states.toml); states_gen.go is made from it.

import (
	"maps"
	"slices"
)

// stateRule is one state's line of the table.
type stateRule struct {
	final, desk bool
	next        []State
}

// States are all states, in alphabetical order.
func States() []State { return slices.Sorted(maps.Keys(states)) }

// Known says whether the table has the state.
func (s State) Known() bool { _, ok := states[s]; return ok }

// Final says whether nothing more happens by itself. Money that comes late still leads out of some final states.
func (s State) Final() bool { return states[s].final }

// Desk says whether a person must decide.
func (s State) Desk() bool { return states[s].desk }

// May says whether another state may follow this one.
func (s State) May(to State) bool { return slices.Contains(states[s].next, to) }

// Next are the states that may follow.
func (s State) Next() []State { return slices.Clone(states[s].next) }
