package main

// Writing a configuration: what differs from what is meant without saying.

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/cmd/kiosk/config"
)

// writeConfig is the text of a configuration. Reading it gives the same configuration back.
func writeConfig(c config.Config) []byte {
	var b bytes.Buffer
	def := config.Default()
	b.WriteString("# Written by kiosk provision. docs/technician.md explains every key.\n")
	str := func(key, v, unsaid string) {
		if v != unsaid {
			fmt.Fprintf(&b, "%s = %s\n", key, quote(v))
		}
	}
	num := func(key string, v, unsaid int) {
		if v != unsaid {
			fmt.Fprintf(&b, "%s = %d\n", key, v)
		}
	}
	list := func(key string, all []string) {
		if len(all) == 0 {
			return
		}
		var quoted []string
		for _, v := range all {
			quoted = append(quoted, quote(v))
		}
		fmt.Fprintf(&b, "%s = [%s]\n", key, strings.Join(quoted, ", "))
	}
	b.WriteString("\n[terminal]\n")
	str("id", c.Terminal.ID, "")
	str("no", c.Terminal.No, "")
	str("site", c.Terminal.Site, "")
	str("name", c.Terminal.Name, "")
	str("data", c.Terminal.Data, "")
	list("items", c.Terminal.Items)
	fmt.Fprintf(&b, "\n[screen]\nwidth = %d\nheight = %d\ndiagonal_mm = %d\n", c.Screen.Width, c.Screen.Height, c.Screen.DiagonalMM)
	if !c.Screen.FullScreen {
		b.WriteString("full_screen = false\n")
	}
	str("language", c.Screen.Language, "")
	b.WriteString("\n[platform]\n")
	str("url", c.Platform.URL, "")
	str("ca", c.Platform.CA, "")
	str("proxy", c.Platform.Proxy, "")
	str("code_file", c.Platform.CodeFile, "")
	str("profile", c.Platform.Profile, "")
	if c.Visit != def.Visit {
		b.WriteString("\n[visit]\n")
		for _, v := range []struct {
			key        string
			is, unsaid config.Duration
		}{{"warn", c.Visit.Warn, def.Visit.Warn}, {"end", c.Visit.End, def.Visit.End}, {"take_card", c.Visit.TakeCard, def.Visit.TakeCard},
			{"take_output", c.Visit.TakeSlip, def.Visit.TakeSlip}, {"refill", c.Visit.Refill, def.Visit.Refill},
			{"unclaimed", c.Visit.Unclaimed, def.Visit.Unclaimed}, {"unfetched", c.Visit.Unfetched, def.Visit.Unfetched}} {
			if text, err := v.is.MarshalText(); err == nil && v.is != v.unsaid {
				str(v.key, string(text), "")
			}
		}
	}
	if c.Seal != def.Seal {
		b.WriteString("\n[seal]\n")
		str("vault", c.Seal.Vault, def.Seal.Vault)
		str("tpm", c.Seal.TPM, def.Seal.TPM)
		str("cipher", c.Seal.Cipher, def.Seal.Cipher)
	}
	if len(c.Tolerance) > 0 {
		b.WriteString("\n[tolerance]\n")
		for _, kind := range slices.Sorted(maps.Keys(c.Tolerance)) {
			num(kind, c.Tolerance[kind], -1)
		}
	}
	if t := c.Technicians; t.CardKey != "" || len(t.Person) > 0 {
		b.WriteString("\n[technicians]\n")
		str("card_key", t.CardKey, "")
		for _, p := range t.Person {
			b.WriteString("\n[[technicians.person]]\n")
			str("code", p.Code, "")
			str("operator", p.Operator, "")
			str("name", p.Name, "")
			str("pin", p.PIN, "")
			str("card", p.Card, "")
		}
	}
	for _, r := range roles(c) {
		d := c.Device[r]
		fmt.Fprintf(&b, "\n[device.%s]\n", r)
		str("driver", d.Driver, "")
		str("uri", d.URI, "")
		str("serial", d.Serial, "")
		str("profile", d.Profile, "")
		str("name", d.Name, "")
		str("media", d.Media, "")
		list("photo_helper", d.PhotoHelper)
		if d.Fingerprint {
			b.WriteString("fingerprint = true\n")
		}
		num("width", d.Width, 0)
		num("height", d.Height, 0)
		str("format", d.Format, "")
		num("rate", d.Rate, 0)
		num("mains_hz", d.MainsHz, 0)
		num("exposure", d.Exposure, 0)
		num("white_balance", d.WhiteBalance, 0)
		num("volume", d.Volume, 0)
		str("quiet_hours", d.QuietHours, "")
		num("quiet_volume", d.QuietVolume, 0)
	}
	return b.Bytes()
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "�") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// setRotation writes how the picture is turned into the package's defaults, where the package is installed.
func setRotation(file, turn string) error {
	b, err := os.ReadFile(file)
	if err != nil || turn == "" {
		return nil // no package here
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(strings.TrimLeft(line, "# "), "ROTATE=") {
			out = append(out, line)
		}
	}
	out = append(out, "ROTATE="+turn+"\n")
	return os.WriteFile(file, []byte(strings.Join(out, "")), 0o644)
}

// userNamed finds a user in the system's list.
func userNamed(passwd, name string) (uid, gid int, found bool) {
	f, err := os.Open(passwd)
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		p := strings.Split(s.Text(), ":")
		if len(p) < 4 || p[0] != name {
			continue
		}
		uid, err := strconv.Atoi(p[2])
		gid, gerr := strconv.Atoi(p[3])
		return uid, gid, err == nil && gerr == nil
	}
	return 0, 0, false
}
