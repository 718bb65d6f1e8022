package wire

// Numbers of the hall's queue (取号): what a citizen takes along who must go to a window.

import "time"

// PathTickets is the hall's queue: GET → Queues, as they stand at the terminal's site; POST TicketRequest → Ticket, the same one for the
// same key, kind of business and day. It is optional: a platform that has no queue answers 404, and the terminal offers no number.
const PathTickets = "/v1/tickets"

// Bounds of a ticket.
const (
	MaxQueues      = 26 // kinds of business of one site
	MaxTicketText  = 32 // of a key of business, a window's name, a number, a reason; in characters
	MaxTicketName  = 64 // of a kind of business's name in one language, in characters
	TicketsOfVisit = 3  // kinds of business for which one visit may take numbers on one day
)

// Queues are those of a site.
type Queues struct {
	Queues []Queue `json:"queues"`
}

// Queue is one kind of business that is called by numbers. It holds nothing of anybody.
type Queue struct {
	Business string            `json:"business"`        // "household"
	Letter   string            `json:"letter"`          // its numbers begin with it: one of A to Z
	Name     map[string]string `json:"name"`            // in Chinese and English
	Items    []string          `json:"items,omitempty"` // codes of the items whose citizens belong here
	Windows  []string          `json:"windows"`         // "3", "5"
	Waiting  int               `json:"waiting"`
	Wait     int64             `json:"wait_s,omitempty"` // for whoever takes a number now, in seconds, as a guess; 0: it cannot be said
}

// TicketRequest asks for a number. It names nobody.
type TicketRequest struct {
	Key      string `json:"key"`              // of the visit: 8 to 64 letters, digits and hyphens
	Business string `json:"business"`         // of a Queue
	Reason   string `json:"reason,omitempty"` // why the terminal cannot do it, in one word: CardExcluded, …; the window sees it
	// Number and Taken are of a number that the terminal gave by itself while it had no link: its letter, the terminal's number in the
	// hall, a hyphen and two to four digits, "A03-1422". The platform takes it into the queue as it is.
	Number string    `json:"number,omitempty"`
	Taken  time.Time `json:"taken,omitzero"`
}

// Ticket is a number in the queue.
type Ticket struct {
	Key      string            `json:"key"`
	Business string            `json:"business"`
	Number   string            `json:"number"` // "A023"
	Day      string            `json:"day"`    // for which it is good: 2006-01-02, in China
	Name     map[string]string `json:"name"`   // of the business
	Windows  []string          `json:"windows"`
	Ahead    int               `json:"ahead"`            // how many are called before
	Wait     int64             `json:"wait_s,omitempty"` // as a guess; 0: it cannot be said
	Taken    time.Time         `json:"taken"`
}
