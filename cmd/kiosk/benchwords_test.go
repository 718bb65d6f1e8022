//go:build !release

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
	"github.com/budayang/kiosk/devices/sim"
)

// Whatever journeys and simulators say of themselves has Chinese words, and no words are left that nobody says.
func TestTheBenchIsWorded(t *testing.T) {
	said := map[string]bool{}
	check := func(what, text string) {
		t.Helper()
		x := benchText(text)
		if x.ID == "" || english(x) != text {
			t.Errorf("%s: %q is not worded", what, text)
			return
		}
		said[x.ID] = true
		if zh := lexicon().Say("zh", x); chineseIn(zh) == "" || englishIn(zh) != "" {
			t.Errorf("%s: %q is %q", what, text, zh)
		}
	}
	for _, j := range journey.Journeys() {
		check(j.Name, j.Tells)
	}
	all := append(sim.Devices(), sim.DeviceCodeScanner, sim.DeviceUPS, sim.DeviceCamera, sim.DeviceSmartCard, sim.DeviceCardDispenser, sim.DeviceHIDScanner)
	for _, d := range all {
		faults, err := sim.Faults(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			check(d+" "+f.Name, f.About)
			if f.Value != "" {
				check(d+" "+f.Name, f.Value)
			}
		}
	}
	for id := range shellWords(t, "zh") {
		if (strings.HasPrefix(id, "bench.tells.") || strings.HasPrefix(id, "bench.fault.") || strings.HasPrefix(id, "bench.value.")) && !said[id] {
			t.Errorf("%s is worded and never said", id)
		}
	}
}

// Lines come whole, in the shell's language; what is in no words stays.
func TestLinesOfTheBench(t *testing.T) {
	for lang, want := range map[string]string{
		"zh": "长时间试验：2m0s，平均每 2.88s 来一位，种子 7\n违反：case x stays PAID\n描述符 开始 20，第二个五分之一 21，最后五分之一 21，最后 21；每千人次 +0.01\n来人的结果：\n  done                                     3\nviolations: 1\n",
		"en": "soak: 2m0s, a citizen every 2.88s on the average, seed 7\nVIOLATION: case x stays PAID\ndescriptors  first 20, second fifth 21, last fifth 21, last 21; slope +0.01 a thousand visits\nwhat became of visits:\n  done                                     3\nviolations: 1\n",
	} {
		var out bytes.Buffer
		w := &benchLines{io: stdio{out: &out, lang: lang}}
		text := "soak: 2m0s, a citizen every 2.88s on the average, seed 7\nVIOLATION: case x stays PAID\ndescriptors  first 20, second fifth 21, last fifth 21, last 21; slope +0.01 a thousand visits\n" +
			"what became of visits:\n  done                                     3\nviolations: 1\n"
		for len(text) > 0 { // as it comes, in pieces
			n := min(len(text), 17)
			if _, err := w.Write([]byte(text[:n])); err != nil {
				t.Fatal(err)
			}
			text = text[n:]
		}
		if out.String() != want {
			t.Errorf("%s:\n%s\nexpected\n%s", lang, out.String(), want)
		}
	}
}
