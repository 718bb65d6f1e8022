// Package staff says who, of the people who run a city's platform, asks: an account's name and its role. The platform's
// pages get it from the request's context.
package staff

import (
	"context"
	"slices"
)

// Role is what an account may do. Each may what those before it may.
type Role string

// Roles.
const (
	Viewer        Role = "viewer"        // reads pages, on which what is personal is masked
	Clerk         Role = "clerk"         // acts on cases and terminals; sees what is personal one by one, with a reason
	Administrator Role = "administrator" // lets terminals in and puts them out; accounts; security events
)

// Roles are all roles, the least first.
var Roles = []Role{Viewer, Clerk, Administrator}

// May says whether this role includes another. A role that is none includes nothing.
func (r Role) May(other Role) bool {
	have, want := slices.Index(Roles, r), slices.Index(Roles, other)
	return have >= 0 && want >= 0 && have >= want
}

// Operator is who asks.
type Operator struct {
	ID   string // the account's name, for the record
	Role Role
}

type key struct{}

// With is a context in which an operator asks.
func With(ctx context.Context, o Operator) context.Context { return context.WithValue(ctx, key{}, o) }

// From is who asks; ok is false outside the pages.
func From(ctx context.Context) (o Operator, ok bool) {
	o, ok = ctx.Value(key{}).(Operator)
	return o, ok
}
