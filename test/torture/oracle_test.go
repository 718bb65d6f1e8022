package main

// The oracle under test: what it lets pass, and what it does not.

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/budayang/kiosk/sync/wire"
)

// A promise may be missing only where a disk that alone had it is gone and somebody told which records went with it.
func TestALossMustBeToldByItsPlaces(t *testing.T) {
	const visit, id, terminal = "m1.b.1", "01a22703-0d7e-7acb-93b2-580fb70449fd", "990000-0001"
	told := func(lane string, epoch, from, to uint64) notice {
		return notice{terminal: terminal, lane: lane, epoch: epoch, from: from, to: to, what: "records.gone"}
	}
	for name, c := range map[string]struct {
		losses  []loss
		notices []notice
		moved   string
		holds   []string
		who     string // by whom it is excused; "" is a violation
	}{
		"no disk was lost":         {nil, []notice{told("tx", 1, 1, 0), told("pay", 1, 1, 0)}, "", nil, ""},
		"nobody told":              {[]loss{{how: "rollback"}}, nil, "", nil, ""},
		"told":                     {[]loss{{how: "rollback"}}, []notice{told("tx", 1, 9, 0), told("pay", 1, 3, 4)}, "", nil, "records.gone"},
		"the disk lost others":     {[]loss{{from: 1, how: "rollback"}}, []notice{told("tx", 1, 9, 0), told("pay", 1, 3, 4)}, "", nil, ""},
		"told of others":           {[]loss{{how: "rollback"}}, []notice{told("tx", 1, 10, 0), told("pay", 1, 3, 4)}, "", nil, ""},
		"told too little":          {[]loss{{how: "rollback"}}, []notice{told("tx", 1, 9, 0), told("pay", 1, 1, 2)}, "", nil, ""},
		"told of one lane":         {[]loss{{how: "rollback"}}, []notice{told("tx", 1, 9, 0)}, "", nil, ""},
		"the other lane is held":   {[]loss{{how: "rollback"}}, []notice{told("tx", 1, 9, 0)}, "", []string{"p"}, "records.gone"},
		"told of another terminal": {[]loss{{how: "rollback"}}, []notice{{terminal: "990000-0002", lane: "tx", epoch: 1, from: 1}, told("pay", 1, 3, 4)}, "", nil, ""},
		"told of another epoch":    {[]loss{{how: "rollback"}}, []notice{told("tx", 2, 1, 0), told("pay", 2, 1, 0)}, "", nil, ""},
		"it had moved there":       {[]loss{{how: "rollback"}}, []notice{told("tx", 2, 1, 0), told("pay", 2, 1, 0)}, "p@pay/2/1,t@tx/2/1", nil, "records.gone"},
		"it was found on the disk": {[]loss{{how: "lying disk", found: map[string]bool{"t": true}}}, []notice{told("tx", 1, 1, 0), told("pay", 1, 1, 0)}, "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOracle()
			o.speaks("m1", terminal)
			o.hear(strings.Fields("try m1 " + visit + " 500"))
			o.hear(strings.Fields("paid m1 " + visit + " " + id + " 001-1 500 p@pay/1/3,t@tx/1/9"))
			if c.moved != "" {
				o.hear(strings.Fields("moved m1 " + c.moved))
			}
			for _, l := range c.losses {
				o.lost("m1", l)
			}
			for _, n := range c.notices {
				o.notices[n] = true
			}
			l := ledger{ids: map[string]bool{}}
			for _, h := range c.holds {
				l.ids[h] = true
			}
			v := o.judge(l, nil, func(string) bool { return false })
			if excused := v.excused[c.who]; c.who != "" && (excused != 1 || len(v.violations) > 0) || c.who == "" && len(v.violations) != 1 {
				t.Errorf("excused %v, violations %q", v.excused, v.violations)
			}
		})
	}
}

// A picture may be lost by itself, when its case is said to be damaged.
func TestALostPictureMustBeTold(t *testing.T) {
	for _, seen := range []bool{true, false} {
		o := newOracle()
		o.hear(strings.Fields("try m1 v 500"))
		o.hear(strings.Fields("paid m1 v case 001-1 500 p@pay/1/3"))
		o.hear(strings.Fields("inked m1 v hash"))
		o.lost("m1", loss{how: "rollback"})
		l := ledger{ids: map[string]bool{"p": true}, inks: map[string]bool{"hash": seen}}
		if v := o.judge(l, nil, func(string) bool { return false }); seen != (v.excused["a case that the platform shows to lack its picture"] == 1) {
			t.Errorf("seen %v: %v", seen, v.excused)
		}
	}
	for _, damaged := range []bool{true, false} {
		o := newOracle()
		o.hear(strings.Fields("try m1 v 500"))
		o.hear(strings.Fields("paid m1 v case 001-1 500 p@pay/1/3"))
		o.hear(strings.Fields("inked m1 v hash"))
		o.damaged["case"] = damaged
		record := held{Record: wire.Record{Header: wire.Header{ID: "p", Case: "case"}}}
		l := ledger{ids: map[string]bool{"p": true}, records: []held{record}}
		v := o.judge(l, nil, func(string) bool { return false })
		inked := 0
		for _, bad := range v.violations {
			if strings.HasPrefix(bad, "inked of v") {
				inked++
			}
		}
		if damaged != (v.excused["case.damaged"] == 1) || damaged == (inked == 1) {
			t.Errorf("damaged %v: excused %v, violations %q", damaged, v.excused, v.violations)
		}
	}
}

// A visit in doubt is held whole or not at all, unless a disk went with one half and somebody told of that half's lane.
func TestHalfOfAVisitInDoubtMustBeTold(t *testing.T) {
	paid, err := json.Marshal(wire.EffectOutcome{Effect: "e", Kind: "pay", State: "done", Detail: "m1.b.1", Number: "500"})
	if err != nil {
		t.Fatal(err)
	}
	record := held{Record: wire.Record{Header: wire.Header{ID: "p", Case: "c", Terminal: "990000-0001", Epoch: 4, Lane: "pay", Seq: 3, Type: wire.TypeEffect}, Body: paid}, outcome: string(wire.Accepted)}
	for name, c := range map[string]struct {
		losses []loss
		told   *notice
		bad    bool
	}{
		"no disk was lost":     {nil, &notice{terminal: "990000-0001", lane: "tx", epoch: 4, from: 9}, true},
		"nobody told":          {[]loss{{how: "rollback", to: 7}}, nil, true},
		"told":                 {[]loss{{how: "rollback", to: 7}}, &notice{terminal: "990000-0001", lane: "tx", epoch: 4, from: 9}, false},
		"told of what is held": {[]loss{{how: "rollback", to: 7}}, &notice{terminal: "990000-0001", lane: "pay", epoch: 4, from: 9}, true},
		"of another epoch":     {[]loss{{how: "rollback", to: 7}}, &notice{terminal: "990000-0001", lane: "tx", epoch: 3, from: 9}, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOracle()
			o.speaks("m1", "990000-0001")
			o.hear(strings.Fields("try m1 m1.b.1 500"))
			for _, l := range c.losses {
				o.lost("m1", l)
			}
			if c.told != nil {
				o.notices[*c.told] = true
			}
			v := o.judge(ledger{ids: map[string]bool{"p": true}, records: []held{record}}, nil, func(string) bool { return false })
			halves := 0
			for _, b := range v.violations {
				if strings.Contains(b, "opened 0 times and paid 1 times") {
					halves++
				}
			}
			if c.bad != (halves == 1) {
				t.Errorf("%q", v.violations)
			}
		})
	}
}
