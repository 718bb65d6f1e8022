// Package config reads the terminal's configuration: one TOML file that says who the terminal is, where its platform is,
// how large its screen is and which device fills which role.
//
// [Load] checks everything at once and reports every mistake with file, line, key and what was expected, so that a
// technician can mend a file without reading a manual. Nothing in it is secret: keys and the enrolment secret lie in files
// of their own, which the configuration only names.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/devices/sound"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/journal/tpm"
	"github.com/budayang/kiosk/sync/wire"
)

// MaxBytes is the largest configuration file that is read.
const MaxBytes = 1 << 20

// Config is the whole file.
type Config struct {
	Terminal Terminal                `toml:"terminal"`
	Screen   Screen                  `toml:"screen"`
	Visit    Visit                   `toml:"visit"`
	Platform Platform                `toml:"platform"`
	Seal     Seal                    `toml:"seal"`
	Device   map[devices.Role]Device `toml:"device"`
	// Technicians are let into the console beside those of kiosk technician add.
	Technicians Technicians `toml:"technicians"`
	// Tolerance is by how many pieces counts of "card" or "ribbon" may differ from the ledger before no card is made until two
	// people cleared it. A card that is not named may not differ at all; a ribbon that is not named may.
	Tolerance map[string]int `toml:"tolerance"`

	// Path is the file it was read from.
	Path string `toml:"-"`
	// Revision names one that the platform sent; 0 is the local file.
	Revision int64 `toml:"-"`
}

// Terminal says which terminal this is.
type Terminal struct {
	ID   string `toml:"id"`   // unique in the city, "990000-0003"
	No   string `toml:"no"`   // short number at its site, in receipt codes, "03"
	Site string `toml:"site"` // name of the hall, shown in the header
	Name string `toml:"name"` // "03 号终端"
	Data string `toml:"data"` // directory of the journal, keys and blobs; relative to the file
	// Items are the codes of the items that are offered here, of those that the program or the platform's release has; none
	// named offers all.
	Items []string `toml:"items"`
}

// Screen is the panel.
type Screen struct {
	Width      int    `toml:"width"`  // pixels
	Height     int    `toml:"height"` // pixels
	DiagonalMM int    `toml:"diagonal_mm"`
	FullScreen bool   `toml:"full_screen"`
	Language   string `toml:"language"` // "zh" or "en"
}

// Visit says how long the terminal is patient.
type Visit struct {
	Warn     Duration `toml:"warn"`      // without a touch, until the warning
	End      Duration `toml:"end"`       // without a touch, until the visit ends
	TakeCard Duration `toml:"take_card"` // until a forgotten card is announced urgently
	TakeSlip Duration `toml:"take_output"`
	Refill   Duration `toml:"refill"` // how long a print waits for paper
	// For how long a card that is paid waits for its citizen until the money goes back, and one that was approved and not paid
	// until its application ends.
	Unclaimed Duration `toml:"unclaimed"`
	Unfetched Duration `toml:"unfetched"`
}

// Platform is the city's platform.
type Platform struct {
	URL      string `toml:"url"`       // https://…
	CA       string `toml:"ca"`        // PEM file of the only authority trusted; relative to the file
	CodeFile string `toml:"code_file"` // one-time enrolment code, mode 0600, removed once used; "" waits for kiosk enroll
	Proxy    string `toml:"proxy"`     // "http://proxy.example:3128": everything goes through it; "" goes directly
	Profile  string `toml:"profile"`   // of signatures: "p256-sha256" (default) or "sm2-sm3"
}

// Where the key of what is sealed at rest lies.
const (
	VaultFile  = "file"
	VaultTPM   = "tpm"
	DefaultTPM = "/dev/tpmrm0"
)

// Seal says how what is personal is sealed at rest.
type Seal struct {
	Vault  string `toml:"vault"`  // "file" (default) or "tpm"
	TPM    string `toml:"tpm"`    // device, "/dev/tpmrm0" by default, or unix:PATH of a software TPM
	Cipher string `toml:"cipher"` // "aes-256-gcm" (default) or "sm4-gcm"; what was sealed before stays readable
}

// Technicians whom the configuration names; kiosk technician show writes their part.
type Technicians struct {
	CardKey string   `toml:"card_key"` // of the marks below, 32 hexadecimal digits
	Person  []Person `toml:"person"`
}

// Person is one technician.
type Person struct {
	Code     string `toml:"code"`     // 4 to 8 digits
	Operator string `toml:"operator"` // in the audit chain
	Name     string `toml:"name"`     // on the screen
	PIN      string `toml:"pin"`      // argon2id, in PHC form
	Card     string `toml:"card"`     // the mark of a card; "" has none
}

// maxTolerance is more than a hopper holds.
const maxTolerance = 1000

// Tolerances are those of counts, as the console has them.
func (c Config) Tolerances() service.Tolerances {
	t := service.Tolerances{}
	for kind, n := range c.Tolerance {
		t[kind] = uint64(n)
	}
	return t
}

// Staff are the technicians as the console has them.
func (t Technicians) Staff() (all []maintain.Technician, key maintain.CardKey) {
	for _, p := range t.Person {
		all = append(all, maintain.Technician(p))
	}
	key, _ = maintain.ParseCardKey(t.CardKey) // was checked
	return all, key
}

// Device fills a role.
type Device struct {
	URI         string   `toml:"uri"`
	Driver      string   `toml:"driver"`
	Serial      string   `toml:"serial"`       // the device commissioned for this role; "" accepts any
	Profile     string   `toml:"profile"`      // receipt printers, code scanners, card dispensers, fingerprint sensors, I/O boards: a model's profile
	Name        string   `toml:"name"`         // UPS of NUT: its name in ups.conf; "ups" when not said
	Media       string   `toml:"media"`        // document and card printers: an IPP media name
	PhotoHelper []string `toml:"photo_helper"` // id readers: command that decodes the photo
	Fingerprint bool     `toml:"fingerprint"`  // id readers: read templates too
	// Cameras. 0 and "" let the driver or the camera choose.
	Width        int    `toml:"width"`         // pixels
	Height       int    `toml:"height"`        // pixels
	Format       string `toml:"format"`        // "yuyv" or "mjpeg"
	Rate         int    `toml:"rate"`          // pictures a second
	MainsHz      int    `toml:"mains_hz"`      // of the light: 50 or 60
	Exposure     int    `toml:"exposure"`      // in 100 µs
	WhiteBalance int    `toml:"white_balance"` // in kelvin
	// Sound.
	Volume      int    `toml:"volume"`       // 1 to 100; 0 means 60
	QuietHours  string `toml:"quiet_hours"`  // "21:00-07:30"
	QuietVolume int    `toml:"quiet_volume"` // 0 to 100, in the quiet hours
}

// Duration is written "40s" or "5m"; 31 days at most.
type Duration time.Duration

// UnmarshalText reads "40s".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v <= 0 || v > 31*24*time.Hour {
		return errors.New(`a time such as "40s" or "5m"`)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes it back.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Camera is how a camera is set up.
func (d Device) Camera() camera.Options {
	return camera.Options{Width: d.Width, Height: d.Height, Format: camera.Format(d.Format), Rate: d.Rate, MainsHz: d.MainsHz,
		Exposure: d.Exposure, WhiteBalance: d.WhiteBalance}
}

// Sound is how tones are played.
func (d Device) Sound() sound.Options {
	quiet, _ := sound.ParseHours(d.QuietHours) // was checked
	_, pcm, _ := strings.Cut(d.URI, ":")
	return sound.Options{PCM: pcm, Volume: cmp.Or(d.Volume, 60), QuietVolume: d.QuietVolume, Quiet: quiet}
}

// Drivers lists the drivers that each role knows.
var Drivers = map[devices.Role][]string{
	devices.RoleIDReader:        {"sam"},
	devices.RoleReceiptPrinter:  {"escpos"},
	devices.RoleDocumentPrinter: {"ipp"},
	devices.RoleCardPrinter:     {"ipp"},
	devices.RoleCodeScanner:     {"code"},
	devices.RoleDoor:            {"modbus"},
	devices.RoleLights:          {"modbus"},
	devices.RoleSmartCard:       {"social"},
	devices.RoleUPS:             {"megatec", "nut"},
	devices.RoleCardDispenser:   {"card"},
	devices.RoleCamera:          {"video"},
	devices.RoleCardCheck:       {"code", "video"},
	devices.RoleSound:           {"alsa"},
	devices.RoleFingerprint:     {"grow"},
}

// schemes lists the buses that each driver can speak over.
var schemes = map[string][]string{
	"sam":     {"serial", "usb", "tcp"},
	"escpos":  {"serial", "usb", "tcp"},
	"ipp":     {"ipp", "ipps"},
	"code":    {"serial", "tcp", "hid"},
	"megatec": {"serial", "tcp"},
	"modbus":  {"serial", "tcp"},
	"nut":     {"tcp"},
	"social":  {"pcsc"},
	"card":    {"serial", "tcp"},
	"grow":    {"serial", "tcp"},
	"video":   camera.Schemes(),
	"alsa":    {"alsa"},
}

// A Problem is one mistake in a configuration file.
type Problem struct {
	File     string
	Line     int // 0 when the key is missing altogether
	Key      string
	Expected string
}

func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Key == "" {
		return fmt.Sprintf("%s: expected %s", where, p.Expected)
	}
	return fmt.Sprintf("%s: %s: expected %s", where, p.Key, p.Expected)
}

// Default is what a key that is not in the file means.
func Default() Config {
	return Config{
		Seal:   Seal{Vault: VaultFile, TPM: DefaultTPM, Cipher: string(wire.AES256GCM)},
		Screen: Screen{Width: 1080, Height: 1920, DiagonalMM: 546, FullScreen: true, Language: "zh"},
		Visit: Visit{
			Warn: Duration(40 * time.Second), End: Duration(60 * time.Second), TakeCard: Duration(10 * time.Second),
			TakeSlip: Duration(30 * time.Second), Refill: Duration(5 * time.Minute),
			Unclaimed: Duration(24 * time.Hour), Unfetched: Duration(7 * 24 * time.Hour),
		},
	}
}

// Load reads and checks a file. The error, if any, joins one [Problem] for each mistake.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, text)
}

// Parse checks the text of a file; path names it in problems and is what relative paths are relative to.
func Parse(path string, text []byte) (Config, error) {
	c := Default()
	c.Path = path
	if len(text) > MaxBytes {
		return c, Problem{path, 0, "", fmt.Sprintf("at most %d bytes", MaxBytes)}
	}
	dec := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, syntax(path, err, lines(text))
	}
	v := checker{file: path, lines: lines(text)}
	v.check(&c)
	if len(v.problems) > 0 {
		return c, errors.Join(v.problems...)
	}
	dir := filepath.Dir(path)
	for _, p := range []*string{&c.Terminal.Data, &c.Platform.CA, &c.Platform.CodeFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return c, nil
}

func syntax(path string, err error, at map[string]int) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var all []error
		for _, e := range strict.Errors {
			row, _ := e.Position()
			all = append(all, Problem{path, row, strings.Join(e.Key(), "."), "a key that exists (is it misspelt?)" + near(e.Key())})
		}
		return errors.Join(all...)
	}
	var one *toml.DecodeError
	if errors.As(err, &one) {
		row, _ := one.Position()
		key := ""
		for k, line := range at {
			if line == row && len(k) > len(key) {
				key = k
			}
		}
		return Problem{path, row, key, strings.TrimPrefix(one.Error(), "toml: ")}
	}
	return Problem{path, 0, "", strings.TrimPrefix(err.Error(), "toml: ")}
}

// known are all keys, for "did you mean".
var known = []string{
	"terminal.id", "terminal.no", "terminal.site", "terminal.name", "terminal.data", "terminal.items",
	"screen.width", "screen.height", "screen.diagonal_mm", "screen.full_screen", "screen.language",
	"visit.warn", "visit.end", "visit.take_card", "visit.take_output", "visit.refill", "visit.unclaimed", "visit.unfetched",
	"platform.url", "platform.ca", "platform.proxy", "platform.code_file", "platform.profile",
	"tolerance.card", "tolerance.ribbon", "seal.vault", "seal.tpm", "seal.cipher", "technicians.card_key", "technicians.person",
	"device.*.uri", "device.*.driver", "device.*.serial", "device.*.profile", "device.*.media", "device.*.photo_helper",
	"device.*.fingerprint", "device.*.width", "device.*.height", "device.*.format", "device.*.rate", "device.*.mains_hz",
	"device.*.exposure", "device.*.white_balance", "device.*.volume", "device.*.quiet_hours", "device.*.quiet_volume",
}

func near(key []string) string {
	k := slices.Clone(key)
	if len(k) == 3 && k[0] == "device" {
		k[1] = "*"
	}
	joined, best, at := strings.Join(k, "."), "", 4
	for _, candidate := range known {
		if d := distance(joined, candidate); d < at {
			best, at = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best[strings.LastIndex(best, ".")+1:] + "?"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

type checker struct {
	file     string
	lines    map[string]int
	problems []error
}

func (v *checker) bad(key, expected string) {
	v.problems = append(v.problems, Problem{v.file, v.lines[key], key, expected})
}

var (
	terminalID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{2,31}$`)
	terminalNo = regexp.MustCompile(`^[0-9A-Z]{1,4}$`)
	itemCode   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func (v *checker) check(c *Config) {
	if !terminalID.MatchString(c.Terminal.ID) {
		v.bad("terminal.id", "3 to 32 letters, digits or dashes, unique in the city")
	}
	if !terminalNo.MatchString(c.Terminal.No) {
		v.bad("terminal.no", "1 to 4 digits or capital letters, unique at the site")
	}
	if c.Terminal.Site == "" {
		v.bad("terminal.site", "the name of the hall, shown to citizens")
	}
	if c.Terminal.Name == "" {
		c.Terminal.Name = c.Terminal.No
	}
	if c.Terminal.Data == "" {
		v.bad("terminal.data", "the directory for the journal and keys")
	}
	for _, code := range c.Terminal.Items {
		if !itemCode.MatchString(code) {
			v.bad("terminal.items", `codes of items, such as ["SB-P", "12345"]`)
			break
		}
	}
	if c.Screen.Width < 480 || c.Screen.Width > 8192 {
		v.bad("screen.width", "pixels, 480 to 8192")
	}
	if c.Screen.Height < 480 || c.Screen.Height > 8192 {
		v.bad("screen.height", "pixels, 480 to 8192")
	}
	if c.Screen.DiagonalMM < 200 || c.Screen.DiagonalMM > 3000 {
		v.bad("screen.diagonal_mm", "the visible diagonal in millimetres, 200 to 3000 (21.5 inch is 546)")
	}
	if c.Screen.Language != "zh" && c.Screen.Language != "en" {
		v.bad("screen.language", `"zh" or "en"`)
	}
	if c.Visit.End < c.Visit.Warn+Duration(20*time.Second) {
		v.bad("visit.end", "at least 20s more than visit.warn (a person needs that long to ask for more time)")
	}
	v.platform(c.Platform)
	v.technicians(c.Technicians)
	v.seal(c.Seal)
	for kind, n := range c.Tolerance {
		switch {
		case kind != "card" && kind != "ribbon":
			v.bad("tolerance."+kind, "card or ribbon: what cards are made of")
		case n < 0 || n > maxTolerance:
			v.bad("tolerance."+kind, fmt.Sprintf("pieces, 0 to %d", maxTolerance))
		}
	}
	for role, d := range c.Device {
		v.device(role, d)
	}
	slices.SortFunc(v.problems, func(a, b error) int {
		p, q := a.(Problem), b.(Problem)
		if p.Line != q.Line {
			return p.Line - q.Line
		}
		return strings.Compare(p.Key, q.Key)
	})
}

// technicians are checked as the console's own file is.
func (v *checker) technicians(t Technicians) {
	cards, seen := false, map[string]bool{}
	all, _ := t.Staff()
	for _, p := range all {
		cards = cards || p.Card != ""
		if err := p.Valid(); err != nil {
			v.bad("technicians.person", "an entry as kiosk technician show writes it: "+err.Error())
		}
		if !strings.HasPrefix(p.PIN, "$argon2id$") || len(p.PIN) > 200 {
			v.bad("technicians.person", "a pin that is hashed (kiosk technician show)")
		}
		if seen[p.Code] {
			v.bad("technicians.person", "service codes that differ")
		}
		seen[p.Code] = true
	}
	if len(all) > maintain.MostTechnicians {
		v.bad("technicians.person", fmt.Sprintf("at most %d", maintain.MostTechnicians))
	}
	if _, err := maintain.ParseCardKey(t.CardKey); err != nil && (cards || t.CardKey != "") {
		v.bad("technicians.card_key", "32 hexadecimal digits")
	}
}

func (v *checker) platform(p Platform) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		v.bad("platform.url", "an address such as https://platform.example:8443")
	}
	if p.CA == "" {
		v.bad("platform.ca", "the file with the platform's certificate authority (platform ca prints it)")
	}
	if u, err := url.Parse(p.Proxy); p.Proxy != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		v.bad("platform.proxy", "an address such as http://proxy.example:3128, without a name or password in it")
	}
	if p.Profile != "" && p.Profile != "p256-sha256" && p.Profile != "sm2-sm3" {
		v.bad("platform.profile", `"p256-sha256" or "sm2-sm3"`)
	}
}

func (v *checker) seal(s Seal) {
	if s.Vault != VaultFile && s.Vault != VaultTPM {
		v.bad("seal.vault", `"file" or "tpm"`)
	}
	if tpm.Check(s.TPM) != nil {
		v.bad("seal.tpm", "a device such as /dev/tpmrm0, or unix:PATH of a software TPM")
	}
	if s.Cipher == "" || !wire.Cipher(s.Cipher).Known() {
		v.bad("seal.cipher", `"aes-256-gcm" or "sm4-gcm"`)
	}
}

func (v *checker) device(role devices.Role, d Device) {
	key := "device." + string(role)
	drivers, ok := Drivers[role]
	if !ok {
		var names []string
		for r := range Drivers {
			names = append(names, string(r))
		}
		slices.Sort(names)
		v.bad(key, "one of the roles "+strings.Join(names, ", "))
		return
	}
	if !slices.Contains(drivers, d.Driver) {
		v.bad(key+".driver", "one of "+strings.Join(drivers, ", "))
		return
	}
	u, err := bus.Parse(d.URI)
	if err != nil {
		v.bad(key+".uri", err.Error())
		return
	}
	if !slices.Contains(schemes[d.Driver], u.Scheme) {
		v.bad(key+".uri", fmt.Sprintf("a URI that begins with %s: (driver %s)", strings.Join(schemes[d.Driver], ": or "), d.Driver))
	}
	if _, err := sound.ParseHours(d.QuietHours); err != nil {
		v.bad(key+".quiet_hours", err.Error())
	}
	for name, n := range map[string]int{"volume": d.Volume, "quiet_volume": d.QuietVolume} {
		if n < 0 || n > 100 {
			v.bad(key+"."+name, "0 to 100")
		}
	}
	if role == devices.RoleCamera {
		if wrong, expected := d.Camera().Check(); wrong != "" {
			v.bad(key+"."+wrong, expected)
		}
	}
}
