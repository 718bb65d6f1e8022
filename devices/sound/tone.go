package sound

// The tones: sines of our own, with soft edges so that nothing clicks.

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/budayang/kiosk/devices"
)

// What a stream is: signed 16 bit, little-endian, the same on both channels.
const (
	Rate     = 48000 // samples a second
	Channels = 2
)

// note is one sine.
type note struct {
	hertz float64
	lasts time.Duration
	gain  float64 // of full scale, at volume 100
}

// tones as they are played. Two rising notes invite, two falling ones refuse; ends of both lie where old ears still hear well
// (below 1.1 kHz).
var tones = map[devices.Tone][]note{
	devices.ToneKey:   {{1000, 35 * time.Millisecond, 0.30}},
	devices.ToneTake:  {{659.3, 140 * time.Millisecond, 0.7}, {880, 220 * time.Millisecond, 0.7}},
	devices.ToneError: {{440, 180 * time.Millisecond, 0.7}, {330, 280 * time.Millisecond, 0.7}},
}

// edge is how long a note takes to come and to go.
const edge = 6 * time.Millisecond

func frames(d time.Duration) int { return int(d * Rate / time.Second) }

// Length is how long a tone lasts.
func Length(t devices.Tone) (d time.Duration) {
	for _, n := range tones[t] {
		d += n.lasts
	}
	return d
}

// Samples is a tone's stream at a volume of 1 to 100; nil for a tone that does not exist. The amplitude goes with the square of the
// volume, which is nearer to what the ear calls half as loud.
func Samples(t devices.Tone, volume int) []byte {
	notes := tones[t]
	if notes == nil {
		return nil
	}
	v := float64(min(max(volume, 0), 100)) / 100
	var out []byte
	for _, n := range notes {
		count, soft := frames(n.lasts), frames(edge)
		for i := range count {
			a := n.gain * v * v * math.MaxInt16
			if near := min(i, count-1-i); near < soft {
				a *= (1 - math.Cos(math.Pi*float64(near)/float64(soft))) / 2
			}
			x := int16(math.Round(a * math.Sin(2*math.Pi*n.hertz*float64(i)/Rate)))
			for range Channels {
				out = binary.LittleEndian.AppendUint16(out, uint16(x))
			}
		}
	}
	return out
}
