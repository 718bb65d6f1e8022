package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Nothing that telemetry is made of can hold a text: numbers, terms, and maps of terms.
func TestTelemetryHoldsNoText(t *testing.T) {
	var look func(path string, x reflect.Type)
	look = func(path string, x reflect.Type) {
		switch {
		case x == reflect.TypeFor[Term](), x.Kind() == reflect.Int64, x.Kind() == reflect.Uint64:
		case x.Kind() == reflect.Map:
			look(path+" key", x.Key())
			look(path+" value", x.Elem())
		case x.Kind() == reflect.Slice:
			look(path+" element", x.Elem())
		case x.Kind() == reflect.Struct:
			for i := range x.NumField() {
				look(path+"."+x.Field(i).Name, x.Field(i).Type)
			}
		default:
			t.Errorf("%s is a %s, in which anything could travel", path, x)
		}
	}
	look("telemetry", reflect.TypeFor[Telemetry]())
	for _, s := range []string{"王建国", "13800000001", "99000019850312011X", "id-reader 王"} {
		b, err := json.Marshal(Telemetry{Devices: map[Term]Term{TermOf(s): TermOf(s)}})
		if err != nil || strings.Contains(string(b), s) {
			t.Errorf("%s %v", b, err)
		}
		var back Telemetry
		if err := json.Unmarshal([]byte(`{"devices":{"`+s+`":"`+s+`"}}`), &back); err != nil || back.Devices[0] != 0 || len(back.Devices) != 1 {
			t.Errorf("%+v %v", back, err)
		}
	}
	for i := range terms {
		if b, err := Term(i).MarshalText(); err != nil || TermOf(string(b)) != Term(i) {
			t.Errorf("%d: %s %v", i, b, err)
		}
	}
	if Term(200).String() != "other" || TermOf("") != TermOf("ready") {
		t.Error("terms beyond the list")
	}
}

func TestSamplesAreChecked(t *testing.T) {
	good := func() Samples {
		return Samples{V: 1, Terminal: "T", Epoch: 1, Samples: []Sample{{Seq: 3, Wall: time.Unix(1, 0)}, {Seq: 7, Wall: time.Unix(2, 0)}}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Samples){
		"version":     func(s *Samples) { s.V = 2 },
		"epoch":       func(s *Samples) { s.Epoch = 0 },
		"none":        func(s *Samples) { s.Samples = nil },
		"too many":    func(s *Samples) { s.Samples = make([]Sample, MaxSamples+1) },
		"seq 0":       func(s *Samples) { s.Samples[0].Seq = 0 },
		"twice":       func(s *Samples) { s.Samples[1].Seq = 3 },
		"huge":        func(s *Samples) { s.Samples[1].Seq = 1 << 63 },
		"year":        func(s *Samples) { s.Samples[1].Wall = time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC) },
		"negative":    func(s *Samples) { s.Samples[1].Telemetry.Disk = -1 },
		"huge number": func(s *Samples) { s.Samples[1].Telemetry.Waiting = 1 << 63 },
	} {
		s := good()
		spoil(&s)
		if s.Check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzSamples(f *testing.F) {
	f.Add([]byte(`{"v":1,"terminal":"T","epoch":1,"samples":[{"seq":1,"wall":"2026-11-24T03:04:05Z","telemetry":{"devices":{"ups":"offline"},"waiting":3}}]}`))
	f.Add([]byte(`{"samples":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Samples
		if json.Unmarshal(b, &s) != nil || s.Check() != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Samples
		if err := json.Unmarshal(again, &back); err != nil || back.Check() != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
