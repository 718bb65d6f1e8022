package platform

// Who may see the pages: accounts with roles, passwords by argon2id, sessions in the store. A session is a random cookie whose
// hash is kept; it ends after a while without use, at the latest after a day's work, with a new password, with the account,
// and when somebody signs out, at every server at once.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/budayang/kiosk/platform/staff"
)

// Limits of signing in.
const (
	sessionIdle = 30 * time.Minute // without use; a page that refreshes itself does not use it
	sessionLife = 12 * time.Hour
	seenEvery   = time.Minute // how exactly it is kept when a session was last used

	triesWindow      = 15 * time.Minute
	triesOfAccount   = 5  // wrong ones within the window; then the account is locked until it ends
	triesFromAddress = 30 // the same for an address, over all accounts

	passwordLeast = 12  // characters
	passwordMost  = 256 // bytes
	hashersMost   = 2   // passwords looked at at once, 46 MiB each
	hasherWait    = 5 * time.Second
)

// sessionCookie has a prefix that browsers take from this host alone, over TLS, for all its paths.
const sessionCookie = "__Host-budayang"

// hashing is OWASP's first choice for argon2id: 46 MiB, one pass.
var hashing = argon2id.Params{Memory: 46 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Errors of the pages. No terminal meets them, so they are not in the registry.
var (
	errSession = &APIError{Code: "E-SESSION", Status: 401, Meaning: "nobody is signed in here, or no longer"}
	errLogin   = &APIError{Code: "E-LOGIN", Status: 401, Meaning: "name or password is wrong, or the account is not in use"}
	errLocked  = &APIError{Code: "E-LOCKED", Status: 429, Meaning: "too many wrong tries; a quarter of an hour later another is taken"}
	errRole    = &APIError{Code: "E-ROLE", Status: 403, Meaning: "the account's role does not include this"}
	errOrigin  = &APIError{Code: "E-ORIGIN", Status: 403, Meaning: "the form was sent from another site's page"}
	errForm    = &APIError{Code: "E-FORM", Status: 400, Meaning: "the form is not filled in as it must be"}
	errDecided = &APIError{Code: "E-DECIDED", Status: 409, Meaning: "somebody else decided meanwhile"}
)

// ErrAccount says that an account cannot be made or changed as asked.
var ErrAccount = errors.New("account")

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,31}$`)

// goodPassword says what is wrong with a password, without repeating it.
func goodPassword(account, password string) error {
	different := map[rune]bool{}
	for _, r := range password {
		different[r] = true
	}
	switch {
	case !utf8.ValidString(password) || len(password) > passwordMost:
		return fmt.Errorf("%w: the password has more than %d bytes, or is not UTF-8", ErrAccount, passwordMost)
	case utf8.RuneCountInString(password) < passwordLeast || len(different) < 6:
		return fmt.Errorf("%w: the password has fewer than %d characters, or fewer than 6 different ones", ErrAccount, passwordLeast)
	case strings.Contains(strings.ToLower(password), account):
		return fmt.Errorf("%w: the password contains the account's name", ErrAccount)
	}
	return nil
}

// NewAccount is what [AddAccount] is told. The password is changed at the first time in: whoever set it knows it.
type NewAccount struct {
	Name     string // 2 to 32 of a-z 0-9 . _ -
	Role     staff.Role
	Password string
}

// AddAccount makes an account. It works on the store beside running servers.
func AddAccount(ctx context.Context, store Store, n NewAccount, now time.Time, by Operator) error {
	if !accountName.MatchString(n.Name) {
		return fmt.Errorf("%w: a name is 2 to 32 of a-z, 0-9, dot, hyphen and underscore", ErrAccount)
	}
	if !n.Role.May(staff.Viewer) {
		return fmt.Errorf("%w: a role is one of %v", ErrAccount, staff.Roles)
	}
	if err := goodPassword(n.Name, n.Password); err != nil {
		return err
	}
	hash, err := argon2id.CreateHash(n.Password, &hashing)
	if err != nil {
		return err
	}
	return store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Account(n.Name); err == nil {
			return fmt.Errorf("%w: %s is there already", ErrAccount, n.Name)
		} else if !errors.Is(err, ErrNoRow) {
			return err
		}
		if err := tx.PutAccount(Account{Name: n.Name, Role: n.Role, Password: hash, MustChange: true, Made: now, MadeBy: by.Who, Changed: now}); err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now, Event: "account.added", Code: string(n.Role), Who: by.Who, Why: about(n.Name, by.Why)})
	})
}

// about is an event's reason, with whom it is about before it.
func about(account, why string) string { return clip(strings.TrimSpace(account+" "+why), 200) }

// AccountChange is what [ChangeAccount] changes; nil leaves it. Each ends the account's sessions.
type AccountChange struct {
	Role     *staff.Role
	Off      *bool
	Password *string // set by somebody else; it is changed at the next time in
	Unlock   bool    // forget wrong tries
}

// ChangeAccount changes an account. The last administrator who may come in stays one.
func ChangeAccount(ctx context.Context, store Store, name string, c AccountChange, now time.Time, by Operator) error {
	hash := ""
	if c.Password != nil {
		if err := goodPassword(name, *c.Password); err != nil {
			return err
		}
		var err error
		if hash, err = argon2id.CreateHash(*c.Password, &hashing); err != nil {
			return err
		}
	}
	if c.Role != nil && !c.Role.May(staff.Viewer) {
		return fmt.Errorf("%w: a role is one of %v", ErrAccount, staff.Roles)
	}
	return store.Update(ctx, func(tx Tx) error {
		a, err := tx.Account(name)
		if errors.Is(err, ErrNoRow) {
			return fmt.Errorf("%w: there is no %.40q", ErrAccount, name)
		}
		if err != nil {
			return err
		}
		ended := false
		told := func(event, code string) error {
			return addEvent(tx, SecurityEvent{At: now, Event: event, Code: code, Who: by.Who, Why: about(name, by.Why)})
		}
		was := a
		if c.Role != nil && a.Role != *c.Role {
			a.Role, ended = *c.Role, true
			if err := told("account.role", string(a.Role)); err != nil {
				return err
			}
		}
		if c.Off != nil && a.Off != *c.Off {
			a.Off, ended = *c.Off, true
			if err := told("account."+map[bool]string{true: "off", false: "on"}[a.Off], ""); err != nil {
				return err
			}
		}
		if hash != "" {
			a.Password, a.MustChange, a.Changed, ended = hash, true, now, true
			if err := told("account.password", "set"); err != nil {
				return err
			}
		}
		if c.Unlock || hash != "" {
			if err := tx.Forgive(hashed("limit", accountTries(name))); err != nil {
				return err
			}
		}
		if c.Unlock {
			if err := told("account.unlocked", ""); err != nil {
				return err
			}
		}
		if was.Role == staff.Administrator && !was.Off && (a.Role != staff.Administrator || a.Off) {
			all, err := tx.Accounts()
			if err != nil {
				return err
			}
			others := 0
			for _, o := range all {
				if o.Name != name && o.Role == staff.Administrator && !o.Off {
					others++
				}
			}
			if others == 0 {
				return fmt.Errorf("%w: %s is the last administrator", ErrAccount, name)
			}
		}
		if ended {
			if err := tx.DropSessions(name); err != nil {
				return err
			}
		}
		return tx.PutAccount(a)
	})
}

// Accounts lists them.
func Accounts(ctx context.Context, store Store) (all []Account, err error) {
	err = store.View(ctx, func(tx Tx) error { all, err = tx.Accounts(); return err })
	return all, err
}

func accountTries(name string) string { return "sign-in " + name }

// hasher waits until a password may be looked at; leave gives the place back.
func (s *Server) hasher(ctx context.Context) (leave func(), ok bool) {
	t := time.NewTimer(hasherWait)
	defer t.Stop()
	select {
	case s.hashers <- struct{}{}:
		return func() { <-s.hashers }, true
	case <-t.C:
	case <-ctx.Done():
	}
	return nil, false
}

// nobodysPassword is compared when there is no such account, so that an answer takes as long.
var nobodysPassword = func() string {
	h, err := argon2id.CreateHash(rand.Text(), &hashing)
	if err != nil {
		panic(err)
	}
	return h
}

// try checks an account's password. Tries are counted before one is looked at, and forgiven by a right one, so that many at
// once are as many.
func (s *Server) try(r *http.Request, name, password string) (a Account, err error) {
	leave, ok := s.hasher(r.Context())
	if !ok {
		return a, errBusy
	}
	defer leave()
	now, known := s.now(), false
	mine, here := hashed("limit", accountTries(name)), hashed("limit", "sign-in from "+peerOf(r))
	tries, from := 0, 0
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		if a, err = tx.Account(name); err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		known = err == nil
		if tries, err = tx.Hit(mine, now, now.Add(triesWindow)); err != nil {
			return err
		}
		if from, err = tx.Hit(here, now, now.Add(triesWindow)); err != nil {
			return err
		}
		if known && tries == triesOfAccount+1 {
			return addEvent(tx, SecurityEvent{At: now, Event: "account.locked", Peer: peerOf(r), Who: name})
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if known {
		claimWho(r, name) // what is typed there otherwise may be a password
	}
	if tries > triesOfAccount || from > triesFromAddress {
		return a, errLocked
	}
	hash := a.Password
	if !known || len(password) > passwordMost {
		hash = s.nobody()
	}
	fits, err := argon2id.ComparePasswordAndHash(clip(password, passwordMost), hash)
	if err != nil {
		return a, err
	}
	if !fits || !known || a.Off || !a.Role.May(staff.Viewer) {
		return a, errLogin
	}
	return a, s.store.Update(r.Context(), func(tx Tx) error {
		return errors.Join(tx.Forgive(mine), tx.Unhit(here))
	})
}

// newSession signs an account in, in place of whoever was signed in in this browser.
func (s *Server) newSession(tx Tx, r *http.Request, account string, now time.Time) (cookie string, err error) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		if err := tx.DropSession(sessionHash(c.Value)); err != nil {
			return "", err
		}
	}
	cookie = rand.Text() + rand.Text() // 260 bits
	return cookie, tx.PutSession(Session{Hash: sessionHash(cookie), Account: account, Peer: peerOf(r), Made: now, Seen: now, Until: now.Add(sessionLife)})
}

func sessionHash(cookie string) string {
	sum := sha256.Sum256([]byte(cookie))
	return hex.EncodeToString(sum[:])
}

func setCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: int(life.Seconds()), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if !s.formOf(w, r) {
		return
	}
	name, password := strings.ToLower(strings.TrimSpace(r.PostFormValue("name"))), r.PostFormValue("password")
	a, err := s.try(r, clip(name, 64), password)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	cookie := ""
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		now := s.now()
		if cookie, err = s.newSession(tx, r, a.Name, now); err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now, Event: "account.in", Peer: peerOf(r), Who: a.Name, Code: string(a.Role)})
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	setCookie(w, cookie, sessionLife)
	http.Redirect(w, r, map[bool]string{true: "/account", false: "/"}[a.MustChange], http.StatusSeeOther)
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if !s.sameSite(w, r) {
		return
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		h := sessionHash(c.Value)
		err := s.store.Update(r.Context(), func(tx Tx) error {
			x, err := tx.Session(h)
			if errors.Is(err, ErrNoRow) {
				return nil
			}
			if err != nil {
				return err
			}
			return errors.Join(tx.DropSession(h), tx.DropDuty(x.Account), addEvent(tx, SecurityEvent{At: s.now(), Event: "account.out", Peer: peerOf(r), Who: x.Account}))
		})
		if err != nil {
			s.failPage(w, r, err)
			return
		}
	}
	setCookie(w, "", -time.Second)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// changePassword is an operator's own. The present one is asked for, by the rules of signing in; every other session ends.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) {
	who, _ := staff.From(r.Context())
	old, password := r.PostFormValue("old"), r.PostFormValue("new")
	if password != r.PostFormValue("again") || password == old {
		s.refusePage(w, r, errForm, "两次输入的新口令不同，或与旧口令相同 The new password was typed differently, or is the old one")
		return
	}
	if err := goodPassword(who.ID, password); err != nil {
		s.refusePage(w, r, errForm, err.Error())
		return
	}
	a, err := s.try(r, who.ID, old)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	leave, ok := s.hasher(r.Context())
	if !ok {
		s.failPage(w, r, errBusy)
		return
	}
	hash, err := argon2id.CreateHash(password, &hashing)
	leave()
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	cookie := ""
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		now := s.now()
		held, err := tx.Account(a.Name)
		if err != nil {
			return err
		}
		if held.Password != a.Password || held.Off {
			return errSession // somebody else set another meanwhile
		}
		held.Password, held.MustChange, held.Changed = hash, false, now
		if err := errors.Join(tx.PutAccount(held), tx.DropSessions(a.Name)); err != nil {
			return err
		}
		if cookie, err = s.newSession(tx, r, a.Name, now); err != nil {
			return err
		}
		return addEvent(tx, SecurityEvent{At: now, Event: "account.password", Code: "changed", Peer: peerOf(r), Who: a.Name})
	})
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	setCookie(w, cookie, sessionLife)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// sameSite refuses what another site's page makes a browser send, and what does not say which page it is from.
func (s *Server) sameSite(w http.ResponseWriter, r *http.Request) bool {
	if s.crossOrigin.Check(r) != nil || r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		s.refusePage(w, r, errOrigin, errOrigin.Meaning)
		return false
	}
	return true
}

const formMost = 16 << 10 // bytes

// formOf reads a form of our own pages.
func (s *Server) formOf(w http.ResponseWriter, r *http.Request) bool {
	if !s.sameSite(w, r) {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, formMost)
	if err := r.ParseForm(); err != nil {
		s.refusePage(w, r, errTooLarge, "the form is too large or cannot be read")
		return false
	}
	return true
}

// signedIn is who a request's cookie says, nil when nobody is. A page that refreshes itself does not keep a session alive.
func (s *Server) signedIn(r *http.Request, uses bool) (*Account, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, errSession
	}
	h := sessionHash(c.Value)
	var x Session
	var a Account
	err = s.store.View(r.Context(), func(tx Tx) (err error) {
		if x, err = tx.Session(h); err == nil {
			a, err = tx.Account(x.Account)
		}
		return err
	})
	if errors.Is(err, ErrNoRow) {
		return nil, errSession
	}
	if err != nil {
		return nil, err
	}
	now := s.now()
	claimWho(r, x.Account)
	if a.Off || !now.Before(x.Until) || now.Sub(x.Seen) > sessionIdle {
		return nil, errors.Join(errSession, s.store.Update(r.Context(), func(tx Tx) error { return tx.DropSession(h) }))
	}
	if uses && now.Sub(x.Seen) >= seenEvery {
		if err := s.store.Update(r.Context(), func(tx Tx) error { return tx.SeenSession(h, now) }); err != nil {
			return nil, err
		}
	}
	return &a, nil
}

// RequireRole lets a request of somebody through who is signed in and whose role includes role; the handler finds who it is by
// [staff.From]. Forms come from our own pages only, are read already, and are kept as a security event with the operator's
// name before they are acted upon; so is every refusal. Handlers of other packages are put behind it and into the mux.
func (s *Server) RequireRole(role staff.Role, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		data := strings.HasSuffix(r.URL.Path, ".json")
		a, err := s.signedIn(r, !data && !(reads && r.URL.Query().Has(byItself)))
		switch {
		case errors.Is(err, errSession):
			if _, none := r.Cookie(sessionCookie); none == nil {
				s.note(r, errSession, "") // a cookie that is no session: old, or somebody's idea
				setCookie(w, "", -time.Second)
			}
			if reads && !data {
				http.Redirect(w, r, "/login", http.StatusSeeOther)
				return
			}
			s.refusePage(w, r, errSession, errSession.Meaning)
			return
		case err != nil:
			s.failPage(w, r, err)
			return
		}
		if !a.Role.May(role) {
			s.refusePage(w, r, errRole, errRole.Meaning)
			return
		}
		if a.MustChange && r.URL.Path != "/account" && r.URL.Path != "/account/password" {
			if reads && !data {
				http.Redirect(w, r, "/account", http.StatusSeeOther)
				return
			}
			s.refusePage(w, r, errRole, "请先修改口令 The password must be changed first")
			return
		}
		if !reads {
			if !s.formOf(w, r) {
				return
			}
			err := s.store.Update(r.Context(), func(tx Tx) error {
				return addEvent(tx, SecurityEvent{At: s.now(), Event: "account.act", Terminal: clip(r.PathValue("terminal"), 64), Peer: peerOf(r), Route: r.Pattern,
					Who: a.Name, Why: clip(r.PostFormValue("why"), 200)})
			})
			if err != nil {
				s.failPage(w, r, err)
				return
			}
		}
		h(w, r.WithContext(staff.With(r.Context(), staff.Operator{ID: a.Name, Role: a.Role})))
	}
}
