package sim

// A UPS behind upsd: the server's side of NUT's protocol as RFC 9271 has it.

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// NUT is a simulated upsd with one UPS.
type NUT struct {
	*plain
	name  string
	state sync.Mutex
	vars  map[string]string
	stale bool
	asked map[string]int
}

// StartNUT starts an upsd on TCP whose UPS, called name, has mains.
func StartNUT(name string) (*NUT, error) {
	u := &NUT{name: name, asked: map[string]int{}, vars: map[string]string{
		"ups.status": "OL CHRG", "battery.charge": "100", "battery.runtime": "1830", "battery.voltage": "27.40", "input.voltage": "226.0",
		"ups.load": "14", "device.mfr": "BUDAYANG", "device.model": `SIM "2000"`, "device.serial": "NUT0001", "ups.firmware": "V1.0",
		"ups.delay.shutdown": "20", "driver.name": "dummy-ups",
	}}
	p, err := startPlain(DeviceUPS, LineOptions{TCP: "127.0.0.1:0", Unpaced: true}, plainFaults, []byte("BEGIN LIST UPS\nUPS ups \"\"\nEND LIST UPS\n"), u.reply)
	if err != nil {
		return nil, err
	}
	u.plain = p
	return u, nil
}

// Set changes a variable; "" takes it away.
func (u *NUT) Set(name, value string) {
	u.state.Lock()
	defer u.state.Unlock()
	if value == "" {
		delete(u.vars, name)
		return
	}
	u.vars[name] = value
}

// Stale makes upsd have lost the UPS, or find it again.
func (u *NUT) Stale(yes bool) {
	u.state.Lock()
	defer u.state.Unlock()
	u.stale = yes
}

// Asked tells how often each kind of command came.
func (u *NUT) Asked(command string) int {
	u.state.Lock()
	defer u.state.Unlock()
	return u.asked[command]
}

func (u *NUT) reply(in []byte) (int, []byte) {
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		return 0, nil
	}
	u.state.Lock()
	defer u.state.Unlock()
	words := strings.Fields(string(in[:end]))
	if len(words) == 0 {
		return end + 1, []byte("ERR UNKNOWN-COMMAND\n")
	}
	if len(u.asked) < 64 {
		u.asked[words[0]]++
	}
	switch {
	case len(words) != 3 || words[0] != "LIST" || words[1] != "VAR":
		return end + 1, []byte("ERR INVALID-ARGUMENT\n")
	case words[2] != u.name:
		return end + 1, []byte("ERR UNKNOWN-UPS\n")
	case u.stale:
		return end + 1, []byte("ERR DATA-STALE\n")
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "BEGIN LIST VAR %s\n", u.name)
	for _, k := range slices.Sorted(maps.Keys(u.vars)) {
		fmt.Fprintf(&out, "VAR %s %s \"%s\"\n", u.name, k, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(u.vars[k]))
	}
	fmt.Fprintf(&out, "END LIST VAR %s\n", u.name)
	return end + 1, out.Bytes()
}
