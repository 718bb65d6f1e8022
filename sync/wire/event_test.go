package wire

// The audit chain takes the catalogue's events with fields of their kinds, and nothing personal.

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const someCase = "0198a0b2-7c41-7d0e-9a51-13800000002f"

func TestEntriesOfTheCatalogueAreTaken(t *testing.T) {
	for _, a := range []AuditEntry{
		{Event: EventCaseOpened, Who: WhoCitizen, Fields: map[string]string{"case": someCase, "item": "SB-P"}},
		{Event: EventCaseOpened, Who: WhoCitizen, Fields: map[string]string{"case": someCase, "item": "12345"}},
		{Event: EventTerminalEnrolled, Who: WhoSystem},
		{Event: EventInboxReceived, Who: WhoSystem, Fields: map[string]string{"type": "", "id": someCase}},
		{Event: EventEpochBegan, Who: WhoSystem, Fields: map[string]string{"epoch": "2", "codes_after": "18446744073709551615", "destroyed": "0"}},
		{Event: EventDeskDecided, Who: "op.chen", Fields: map[string]string{"case": someCase, "action": "note", "from": "MANUAL",
			"to": "MANUAL", "reason": "other", "decision": someCase, "note": strings.Repeat("ab", 32)}},
	} {
		if err := a.Check(); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestWhatIsNotInTheCatalogueIsRefused(t *testing.T) {
	good := AuditEntry{Event: EventCaseOpened, Who: WhoCitizen, Fields: map[string]string{"case": someCase, "item": "SB-P"}}
	for what, spoil := range map[string]func(a *AuditEntry){
		"event":         func(a *AuditEntry) { a.Event = "case.opend" },
		"no event":      func(a *AuditEntry) { a.Event = "" },
		"nobody":        func(a *AuditEntry) { a.Who = "" },
		"a name":        func(a *AuditEntry) { a.Who = "李晓雯" },
		"a number":      func(a *AuditEntry) { a.Who = "op13800000002" },
		"missing field": func(a *AuditEntry) { delete(a.Fields, "item") },
		"extra field":   func(a *AuditEntry) { a.Fields["name"] = "x" },
		"case":          func(a *AuditEntry) { a.Fields["case"] = "03-20261122-000138" },
		"name in item":  func(a *AuditEntry) { a.Fields["item"] = "李晓雯" },
		"id in item":    func(a *AuditEntry) { a.Fields["item"] = "990000199001011232" },
		"phone in item": func(a *AuditEntry) { a.Fields["item"] = "13800000002" },
		"sentence":      func(a *AuditEntry) { a.Fields["item"] = "two words" },
	} {
		a := good
		a.Fields = maps.Clone(good.Fields)
		spoil(&a)
		err := a.Check()
		if !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "13800000002") || strings.Contains(err.Error(), "990000199001011232")) {
			t.Errorf("%s: the error says what must not be said: %v", what, err)
		}
	}
}

// No kind but those of machine-made numbers holds nine digits in a row; whatever comes from outside can be made a word.
func TestNoKindHoldsAPerson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		around := rapid.StringMatching(`[a-zA-Z._-]{0,10}`)
		digits := rapid.StringMatching(`[0-9]{9,18}`).Draw(t, "digits")
		v := around.Draw(t, "before") + digits + around.Draw(t, "after")
		for _, k := range []FieldKind{FieldWord, FieldItem, FieldOperator, FieldState, FieldCase, FieldEffect, FieldTime} {
			if k.fits(v) {
				t.Errorf("%s holds %s", k, v)
			}
		}
		foreign := rapid.String().Draw(t, "foreign") + v
		if w := Word(foreign); !FieldWord.fits(w) {
			t.Errorf("Word(%q) is %q, which is none", foreign, w)
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add("notice")
	f.Add("李晓雯 13800000002")
	f.Add(strings.Repeat("9", 70) + "\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if w := Word(s); !FieldWord.fits(w) {
			t.Errorf("%q became %q", s, w)
		}
	})
}
