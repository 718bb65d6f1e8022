package private

// The handler: nothing passes that could be a person's.

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Handler masks personal data on its way to another handler.
type Handler struct {
	next  slog.Handler
	known *known
}

// known are the names of whoever is there, shared by all handlers that come of one.
type known struct {
	mu    sync.RWMutex
	next  int
	names map[int][]string
}

// NewHandler puts a net in front of a handler.
func NewHandler(next slog.Handler) *Handler {
	return &Handler{next, &known{names: map[int][]string{}}}
}

// Know masks names, numbers and addresses from here on, until forget is called. Texts of one character are not looked for.
func (h *Handler) Know(names ...string) (forget func()) {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !worthKnowing(n) })
	// The longest first, so that none leaves a piece of another.
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	h.known.mu.Lock()
	defer h.known.mu.Unlock()
	h.known.next++
	no := h.known.next
	h.known.names[no] = names
	return func() {
		h.known.mu.Lock()
		defer h.known.mu.Unlock()
		clear(h.known.names[no])
		delete(h.known.names, no)
	}
}

func (h *Handler) scrub(s string) string {
	h.known.mu.RLock()
	defer h.known.mu.RUnlock()
	for _, names := range h.known.names {
		s = Scrub(s, names)
	}
	if len(h.known.names) == 0 {
		s = Scrub(s, nil)
	}
	return s
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(all []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(all))
	for i, a := range all {
		clean[i] = h.attr(a)
	}
	return &Handler{h.next.WithAttrs(clean), h.known}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(h.scrub(name)), h.known}
}

func (h *Handler) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: h.scrub(a.Key), Value: h.value(a.Value)}
}

func (h *Handler) value(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindTime, slog.KindFloat64:
		return v
	case slog.KindInt64, slog.KindUint64:
		if s := v.String(); h.scrub(s) != s {
			return slog.StringValue(h.scrub(s))
		}
		return v
	case slog.KindString:
		return slog.StringValue(h.scrub(v.String()))
	case slog.KindGroup:
		clean := make([]slog.Attr, len(v.Group()))
		for i, a := range v.Group() {
			clean[i] = h.attr(a)
		}
		return slog.GroupValue(clean...)
	}
	return slog.StringValue(h.scrub(text(v.Any())))
}

// text is what of any value may be written: what the value says of itself, plain values, and lists of those; of all else its
// type.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "<nil>"
	case error:
		return safely(v.Error)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer:
		return safely(v.String)
	}
	r := reflect.ValueOf(v)
	if plain(r.Type()) {
		return fmt.Sprint(v)
	}
	if (r.Kind() == reflect.Slice || r.Kind() == reflect.Array) && plain(r.Type().Elem()) && r.Type().Elem().Kind() != reflect.Uint8 {
		return fmt.Sprint(v)
	}
	return "[" + r.Type().String() + "]"
}

// safely lets a log line survive a value that cannot speak for itself.
func safely(say func() string) (s string) {
	defer func() {
		if recover() != nil {
			s = "[panic]"
		}
	}()
	return say()
}

func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32,
		reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}
