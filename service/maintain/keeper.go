package maintain

// Who may come in: a file of service codes and hashed PINs, beside the journal.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/budayang/kiosk/sync/journal"
)

// A Person is a technician.
type Person struct {
	Operator string // in the audit chain, "op.zhang"
	Name     string // on the screen, "张工"

	by string // how they came in
}

// A Keeper knows technicians.
type Keeper interface {
	// Check says whose code and PIN these are; the zero Person when they are nobody's. It takes about as long for a code that
	// nobody has.
	Check(code, pin string) (Person, error)
	// Any says whether there is a technician at all.
	Any() bool
}

// KeeperFile is the file's name in the data directory.
const KeeperFile = "technicians.json"

// File is a Keeper in a file of mode 0600. It is read anew at every use, so that a technician who was removed is out at once.
type File struct{ Path string }

// Technician is one entry of the file.
type Technician struct {
	Code     string `json:"code"` // 4 to 8 digits
	Operator string `json:"operator"`
	Name     string `json:"name"`
	PIN      string `json:"pin"`            // argon2id, in PHC form
	Card     string `json:"card,omitempty"` // the mark of a card, see [CardKey]; "" has none
}

// Valid says what is wrong with an entry.
func (t Technician) Valid() error {
	switch {
	case !codeShape.MatchString(t.Code):
		return ErrCode
	case !journal.Operator(t.Operator):
		return ErrOperator
	case t.Card != "" && !mark(t.Card):
		return ErrCard
	}
	return nil
}

// admit is who they are, if the PIN is theirs.
func (t Technician) admit(pin string) (Person, error) {
	fits, err := argon2id.ComparePasswordAndHash(pin, t.PIN)
	if err != nil {
		return Person{}, fmt.Errorf("technicians: %w", err)
	}
	if !fits {
		return Person{}, nil
	}
	return Person{Operator: t.Operator, Name: t.Name}, nil
}

// nobody is compared with where no technician has the code.
var nobody = Technician{PIN: decoy}

// Errors of technicians' data.
var (
	ErrCode     = errors.New("a service code is 4 to 8 digits")
	ErrPIN      = errors.New("a PIN is 6 to 12 digits, not all the same and not in a row")
	ErrOperator = errors.New("an operator's id begins with a letter and has 2 to 32 letters, digits, dots, hyphens and underscores")
	ErrTaken    = errors.New("another technician has this service code")
	ErrNobody   = errors.New("no technician has this service code")
)

// MostTechnicians bounds the file: it is for the technicians of a site.
const (
	MostTechnicians = 100
	mostBytes       = 256 << 10
	mostName        = 16 // characters
)

var (
	codeShape = regexp.MustCompile(`^[0-9]{4,8}$`)
	pinShape  = regexp.MustCompile(`^[0-9]{6,12}$`)
)

// hashing is OWASP's first choice for argon2id.
var hashing = &argon2id.Params{Memory: 46 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// decoy is a hash of no PIN that could be given.
const decoy = "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGAAAAAAAAAAA"

// List reads the file; one that is not there has nobody in it.
func (f File) List() ([]Technician, error) {
	st, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("technicians: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("technicians: %s can be read by others: chmod 600 it", f.Path)
	}
	if st.Size() > mostBytes {
		return nil, fmt.Errorf("technicians: %s is %d bytes long", f.Path, st.Size())
	}
	b, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, fmt.Errorf("technicians: %w", err)
	}
	return parse(b)
}

// parse reads the file's text.
func parse(b []byte) (all []Technician, err error) {
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("technicians: %w", err)
	}
	if len(all) > MostTechnicians {
		return nil, fmt.Errorf("technicians: %d entries, at most %d", len(all), MostTechnicians)
	}
	seen := map[string]bool{}
	for _, t := range all {
		if err := t.Valid(); err != nil {
			return nil, fmt.Errorf("technicians: %w", err)
		}
		if seen[t.Code] {
			return nil, fmt.Errorf("technicians: %w", ErrTaken)
		}
		seen[t.Code] = true
	}
	return all, nil
}

// Any implements Keeper.
func (f File) Any() bool {
	all, err := f.List()
	return err == nil && len(all) > 0
}

// Check implements Keeper.
func (f File) Check(code, pin string) (Person, error) {
	all, err := f.List()
	if err != nil {
		return Person{}, err
	}
	for _, t := range all {
		if t.Code == code {
			return t.admit(pin)
		}
	}
	return nobody.admit(pin)
}

// Add writes a technician into the file.
func (f File) Add(t Technician, pin string) error {
	switch {
	case !codeShape.MatchString(t.Code):
		return ErrCode
	case !pinShape.MatchString(pin) || weak(pin) || pin == t.Code:
		return ErrPIN
	case !journal.Operator(t.Operator):
		return ErrOperator
	case t.Name == "" || utf8.RuneCountInString(t.Name) > mostName:
		return fmt.Errorf("a name has 1 to %d characters", mostName)
	}
	all, err := f.List()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(o Technician) bool { return o.Code == t.Code }) {
		return ErrTaken
	}
	if t.PIN, err = argon2id.CreateHash(pin, hashing); err != nil {
		return fmt.Errorf("technicians: %w", err)
	}
	return f.write(append(all, t))
}

// Remove takes a technician out of the file.
func (f File) Remove(code string) error {
	all, err := f.List()
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(t Technician) bool { return t.Code == code })
	if len(left) == len(all) {
		return ErrNobody
	}
	return f.write(left)
}

// write replaces the file in one step.
func (f File) write(all []Technician) error {
	if len(all) > MostTechnicians {
		return fmt.Errorf("technicians: at most %d", MostTechnicians)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), ".technicians-*")
	if err != nil {
		return fmt.Errorf("technicians: %w", err)
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.Path)
	}
	if err != nil {
		return fmt.Errorf("technicians: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// weak says whether a PIN is the first that anybody tries.
func weak(pin string) bool {
	if strings.Count(pin, pin[:1]) == len(pin) {
		return true
	}
	up, down := true, true
	for i := 1; i < len(pin); i++ {
		up = up && (pin[i]-'0') == (pin[i-1]-'0'+1)%10
		down = down && (pin[i]-'0'+1)%10 == pin[i-1]-'0'
	}
	return up || down
}
