package conform

// The inbox, blobs, the catalogue, and what is asked for a citizen; then what only the end of a run can tell.

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

var inboxChecks = []Check{
	{"long-poll", "an empty inbox after the wait that was asked for, not before", "Conversation", checkLongPoll},
	{"inbox", "messages numbered upwards from what was asked, each signed for the terminal; what a backup holds as a place in a lane", "Conversation", checkInbox},
}

func checkLongPoll(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	w, err := s.mine.hello(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	a, err := s.mine.get(ctx, fmt.Sprintf("%s?after=%d&wait=1", wire.PathPull, w.Inbox))
	took := time.Since(began)
	if err != nil {
		return err
	}
	var in wire.Inbox
	if err := a.read(&in); err != nil {
		return err
	}
	switch {
	case in.Messages == nil:
		return errors.New("null instead of a list of messages")
	case len(in.Messages) == 0 && took < 900*time.Millisecond:
		return fmt.Errorf("an empty answer after %v", took.Round(time.Millisecond))
	case in.Time.IsZero():
		return errors.New("an answer without time")
	}
	return nil
}

func checkInbox(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.get(ctx, wire.PathPull+"?after=0&wait=0")
	if err != nil {
		return err
	}
	var in wire.Inbox
	if err := a.read(&in); err != nil {
		return err
	}
	last := uint64(0)
	for _, m := range in.Messages {
		if m.No <= last || !wire.Verify(s.mine.platform, m.SigningBytes(s.mine.id), m.Signature) {
			return fmt.Errorf("message %d after %d, or its signature does not verify", m.No, last)
		}
		last = m.No
		if m.Type != wire.MessageBackup {
			continue
		}
		// What a terminal does with it cannot be taken back.
		if _, err := wire.ReadBackedUp(m.Body); err != nil {
			return fmt.Errorf("message %d: %w", m.No, err)
		}
	}
	a, err = s.mine.get(ctx, wire.PathPull+"?after=x&wait=y")
	return refused(a, err, "E-MALFORMED")
}

var blobChecks = []Check{
	{"blob", "201 for a new blob, 200 for one that is held, and HEAD says so", "Conversation", checkBlob},
	{"blob-resume", "an upload that was cut short leaves nothing, and the whole one is taken afterwards", "Conversation", checkBlobResume},
	{"blob-wrong-hash", "E-BLOB for bytes of another hash, which are not held then", "Conversation", checkBlobHash},
}

func randomBlob() (b []byte, path string) {
	b = make([]byte, 100<<10)
	_, _ = rand.Read(b)
	return b, wire.PathBlobs + wire.Hash(sha256.Sum256(b)).String()
}

// blob sends a request about a blob and says what status must come.
func (s *session) blob(ctx context.Context, method, path string, b []byte, want int) error {
	q := request{method: method, path: path, kind: "application/octet-stream"}
	if b != nil {
		q.body = b
	}
	a, err := s.mine.send(ctx, q)
	if err != nil {
		return err
	}
	if a.status != want {
		return fmt.Errorf("%s: %s instead of %d", method, a, want)
	}
	return nil
}

func checkBlob(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := randomBlob()
	for _, step := range []struct {
		method string
		body   []byte
		want   int
	}{{"HEAD", nil, 404}, {"PUT", b, 201}, {"PUT", b, 200}, {"HEAD", nil, 200}} {
		if err := s.blob(ctx, step.method, path, step.body, step.want); err != nil {
			return err
		}
	}
	return nil
}

// cut is a body whose line breaks.
type cut struct{ io.Reader }

var errCut = errors.New("cut on purpose")

func (c cut) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return n, err
}

func checkBlobResume(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := randomBlob()
	_, err := s.mine.send(ctx, request{method: "PUT", path: path, body: b, kind: "application/octet-stream", tamper: func(r *http.Request) {
		r.Body, r.GetBody = io.NopCloser(cut{bytes.NewReader(b[:len(b)/2])}), nil
	}})
	if err != nil && !errors.Is(err, errNoAnswer) {
		return err
	}
	if err := s.blob(ctx, "HEAD", path, nil, 404); err != nil {
		return err
	}
	if err := s.blob(ctx, "PUT", path, b, 201); err != nil {
		return err
	}
	return s.blob(ctx, "HEAD", path, nil, 200)
}

func checkBlobHash(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := randomBlob()
	b[0] ^= 1
	a, err := s.mine.send(ctx, request{method: "PUT", path: path, body: b, kind: "application/octet-stream"})
	if err := refused(a, err, "E-BLOB"); err != nil {
		return err
	}
	return s.blob(ctx, "HEAD", path, nil, 404)
}

var catalogueChecks = []Check{
	{"catalogue", "a revision that hello tells too, and a reason in Chinese and English for each item that is off", "Online calls", checkCatalogue},
	{"rating-form", "a version and five levels, each with its own code and named in Chinese and English", "Online calls", checkRating},
}

func (s *session) catalogue(ctx context.Context) (c wire.Catalogue, err error) {
	if err := s.ready(); err != nil {
		return c, err
	}
	a, err := s.mine.get(ctx, wire.PathCatalogue)
	if err != nil {
		return c, err
	}
	return c, a.read(&c)
}

func worded(m map[string]string) bool { return m["zh"] != "" && m["en"] != "" }

func checkCatalogue(ctx context.Context, s *session) error {
	before, err := s.catalogue(ctx)
	if err != nil {
		return err
	}
	w, err := s.mine.hello(ctx)
	if err != nil {
		return err
	}
	c, err := s.catalogue(ctx)
	switch {
	case err != nil:
		return err
	case c.Revision < 1 || w.Catalogue < before.Revision || w.Catalogue > c.Revision:
		return fmt.Errorf("revision %d, and %d in hello", c.Revision, w.Catalogue)
	case c.Items == nil || c.Phone == "":
		return errors.New("no items or no phone of the hotline")
	}
	for code, a := range c.Items {
		if !a.Available && !worded(a.Why) {
			return fmt.Errorf("item %.20q off without a reason in both languages", code)
		}
	}
	for _, o := range c.Hotline {
		if o.Code == "" || !worded(o.Name) {
			return fmt.Errorf("category %.20q without a name in both languages", o.Code)
		}
	}
	return nil
}

func checkRating(ctx context.Context, s *session) error {
	c, err := s.catalogue(ctx)
	if err != nil {
		return err
	}
	codes := map[string]bool{}
	for _, l := range c.Rating.Levels {
		if l.Code == "" || codes[l.Code] || !worded(l.Name) {
			return fmt.Errorf("level %.20q twice, or without a name in both languages", l.Code)
		}
		codes[l.Code] = true
	}
	if c.Rating.Version == "" || len(codes) != 5 {
		return fmt.Errorf("version %.20q with %d levels", c.Rating.Version, len(codes))
	}
	return nil
}

// verified is the person after her code.
type verified struct{ token, visit string }

var citizenChecks = []Check{
	{"code-no-person", "E-NO-RECORD for a person whom nobody knows, E-MALFORMED for a number that cannot be one", "Online calls", checkNoPerson},
	{"code", "a code sent to a masked phone; wrong ones refused, another terminal's too; the right one yields a token, once", "Online calls", checkCode},
	{"query-no-token", "E-TOKEN for a query of nobody, E-NOT-FOUND for a service that there is not", "Online calls", checkQueryRefused},
	{"query", "a titled table for the verified person, for her visit only", "Online calls", checkQuery},
	{"document-no-token", "E-TOKEN for a document of nobody", "Online calls", checkDocumentRefused},
	{"document", "a document whose hash and signature verify", "Online calls", checkDocument},
	{"document-idempotent", "the same key and request: the same document, byte for byte", "Online calls", checkIdempotent},
	{"document-key", "E-KEY-REUSED for another request, or another terminal, under a key that was used", "Online calls", checkKeyReused},
}

var billChecks = []Check{
	{"bill-refused", "E-NOT-FOUND for an item without a price and for a bill that there is not, E-MALFORMED for no case", "Bills", checkBillRefused},
	{"bill", "one bill of a case however often it is asked for, shown to its terminal only; cancelled, it takes no more money", "Bills", checkBill},
	{"ebills", "a titled table of the verified person's e-bills; E-TOKEN to whoever else asks", "Bills", checkEBills},
	{"bill-held", "E-MALFORMED for a wait that is no number of seconds; an answer at once when another state is known, and after the wait at the latest", "Bills", checkBillHeld},
}

// priced skips what needs an item with a price.
func (s *session) priced() error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.cfg.Priced == "" {
		return skip("no item with a price was named")
	}
	return nil
}

func checkBillRefused(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathBills, wire.BillRequest{Case: newID(), Item: "CONFORM-NO-PRICE"})
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return err
	}
	a, err = s.mine.get(ctx, wire.PathBills+"/00000000000000000000")
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return err
	}
	a, err = s.mine.post(ctx, wire.PathBills, wire.BillRequest{Item: "CONFORM-NO-PRICE"})
	return refused(a, err, "E-MALFORMED")
}

func checkBill(ctx context.Context, s *session) error {
	if err := s.priced(); err != nil {
		return err
	}
	ask := wire.BillRequest{Case: newID(), Item: s.cfg.Priced}
	read := func(a answer, err error) (b wire.Bill, _ error) {
		if err != nil {
			return b, err
		}
		if err := a.read(&b); err != nil {
			return b, err
		}
		switch {
		case b.Case != ask.Case || b.Item != ask.Item || b.Number == "":
			return b, errors.New("a bill without number, or of another case or item")
		case b.Amount < 0 || b.Reason == "" || (b.Amount == 0) != (b.State == wire.BillPaid):
			return b, fmt.Errorf("%d fen for the reason %.20q in state %.20q", b.Amount, b.Reason, b.State)
		case b.QR != "" && b.State != wire.BillOpen:
			return b, fmt.Errorf("a code to scan in state %.20q", b.State)
		case b.Cash != nil && !worded(b.Cash):
			return b, errors.New("the way to pay in cash is not in both languages")
		case b.EBill != nil && (b.State == wire.BillOpen || b.State == wire.BillClosing || b.State == wire.BillClosed || b.Amount == 0):
			return b, fmt.Errorf("an e-bill of %d fen in state %.20q, which nobody paid", b.Amount, b.State)
		case b.EBill != nil && !b.EBill.Shown():
			return b, errors.New("an e-bill that cannot be shown")
		}
		return b, nil
	}
	first, err := read(s.mine.post(ctx, wire.PathBills, ask))
	if err != nil {
		return err
	}
	for range 15 {
		if first.QR != "" || first.State != wire.BillOpen {
			break
		}
		time.Sleep(time.Second)
		if first, err = read(s.mine.get(ctx, wire.PathBills+"/"+first.Number)); err != nil {
			return err
		}
	}
	if first.State == wire.BillOpen && first.QR == "" {
		return errors.New("no code to scan after 15 s")
	}
	again, err := read(s.mine.post(ctx, wire.PathBills, ask))
	if err != nil {
		return err
	}
	if again.Number != first.Number || again.QR != first.QR {
		return errors.New("another bill, or another code, for the same case")
	}
	a, err := s.other.get(ctx, wire.PathBills+"/"+first.Number)
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("another terminal's bill: %w", err)
	}
	for range 2 {
		ended, err := read(s.mine.post(ctx, wire.PathBills+"/"+first.Number+"/cancel", struct{}{}))
		if err != nil {
			return err
		}
		if ended.State == wire.BillOpen {
			return errors.New("still open after it was cancelled")
		}
	}
	return nil
}

// queryEBills is the query that answers a person's e-bills.
const queryEBills = wire.PathQuery + "ebills"

// checkEBills sees no e-bill: nobody pays here.
func checkEBills(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, queryEBills, wire.Query{Token: s.person.token, Visit: s.person.visit})
	if err != nil {
		return err
	}
	if refused(a, nil, "E-NOT-FOUND") == nil {
		return skip("nobody issues e-bills here")
	}
	if err := s.table(ctx, queryEBills, a); err != nil {
		return err
	}
	a, err = s.mine.post(ctx, queryEBills, wire.Query{Token: nonce(), Visit: s.person.visit})
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("with a token of nobody's: %w", err)
	}
	return nil
}

func checkNoPerson(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	nobody, err := idnum.Complete("99000019000101999") // district 990000 does not exist
	if err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Number: nobody, Name: "无此人"}, Visit: newID()})
	if err := refused(a, err, "E-NO-RECORD"); err != nil {
		return err
	}
	a, err = s.mine.post(ctx, wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Number: "990000", Name: "无此人"}, Visit: newID()})
	return refused(a, err, "E-MALFORMED")
}

func checkCode(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.cfg.Person.Number == "" || s.cfg.Code == nil {
		return skip("no person was named whose codes can be read")
	}
	if err := s.cfg.Code.Begin(); err != nil {
		return skip(err.Error())
	}
	visit := newID()
	a, err := s.mine.post(ctx, wire.PathCode, wire.CodeRequest{Person: s.cfg.Person, Visit: visit})
	if err != nil {
		return err
	}
	var sent wire.CodeSent
	if err := a.read(&sent); err != nil {
		return err
	}
	switch {
	case sent.Challenge == "" || sent.Tries < 2 || !sent.Until.After(time.Now().Add(s.offset)):
		return errors.New("no challenge, fewer than two tries, or a code that has ended")
	case !strings.Contains(sent.Phone, "*"):
		return errors.New("a phone that is not masked")
	}
	code, err := s.cfg.Code.Read(ctx, sent)
	if err != nil {
		return fmt.Errorf("no code where it should be read: %w", err)
	}
	wrong := []byte(code)
	wrong[0] = '0' + (wrong[0]-'0'+1)%10
	a, err = s.other.post(ctx, wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: code})
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("at another terminal: %w", err)
	}
	a, err = s.mine.post(ctx, wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: string(wrong)})
	if err := refused(a, err, "E-CODE-WRONG"); err != nil {
		return fmt.Errorf("a wrong code: %w", err)
	}
	check := wire.CodeCheck{Challenge: sent.Challenge, Code: code}
	if a, err = s.mine.post(ctx, wire.PathCodeCheck, check); err != nil {
		return err
	}
	var out wire.CodeChecked
	if err := a.read(&out); err != nil {
		return fmt.Errorf("the right code: %w", err)
	}
	if out.Token == "" || !out.Until.After(time.Now().Add(s.offset)) {
		return errors.New("no token, or one that has ended")
	}
	s.person = verified{out.Token, visit}
	a, err = s.mine.post(ctx, wire.PathCodeCheck, check)
	if err := refused(a, err, "E-CODE-EXPIRED", "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("the right code again: %w", err)
	}
	return nil
}

// verified skips what needs a person.
func (s *session) verified() error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.person.token == "" {
		return skip("no person was verified")
	}
	return nil
}

func (s *session) query() string { return wire.PathQuery + url.PathEscape(s.cfg.Service) }

func checkQueryRefused(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, s.query(), wire.Query{Visit: newID()})
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return err
	}
	a, err = s.mine.post(ctx, wire.PathQuery+"conform-no-such-service", wire.Query{Visit: newID()})
	return refused(a, err, "E-NOT-FOUND")
}

func checkQuery(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, s.query(), wire.Query{Token: s.person.token, Visit: s.person.visit})
	if err != nil {
		return err
	}
	return s.table(ctx, s.query(), a)
}

// table examines the answer to a query for the verified person, and that the same query is refused to whoever else asks.
func (s *session) table(ctx context.Context, path string, a answer) error {
	var out wire.Answer
	if err := a.read(&out); err != nil {
		return err
	}
	if !worded(out.Title) || out.Sections == nil || out.AsOf.IsZero() {
		return errors.New("no title in both languages, no sections, or no as_of")
	}
	for _, sec := range out.Sections {
		for _, r := range sec.Rows {
			if !worded(r.Label) || r.Private && r.Masked == "" {
				return errors.New("a row without a label in both languages, or a private one without its mask")
			}
		}
	}
	q := wire.Query{Token: s.person.token, Visit: newID()}
	a, err := s.mine.post(ctx, path, q)
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("for another visit: %w", err)
	}
	q.Visit = s.person.visit
	a, err = s.other.post(ctx, path, q)
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("at another terminal: %w", err)
	}
	return nil
}

func (s *session) wanted(key string) wire.DocumentRequest {
	return wire.DocumentRequest{Key: key, Kind: s.cfg.Kind, Token: s.person.token, Params: s.cfg.Params}
}

func checkDocumentRefused(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	q := s.wanted(newID())
	q.Token = nonce()
	a, err := s.mine.post(ctx, wire.PathDocuments, q)
	return refused(a, err, "E-TOKEN")
}

// issue asks for a document and verifies it as a terminal does before it prints.
func (s *session) issue(ctx context.Context, q wire.DocumentRequest) (d wire.Document, err error) {
	a, err := s.mine.post(ctx, wire.PathDocuments, q)
	if err != nil {
		return d, err
	}
	if err := a.read(&d); err != nil {
		return d, err
	}
	switch {
	case sha256.Sum256(d.PDF) != d.SHA256 || !bytes.HasPrefix(d.PDF, []byte("%PDF-")):
		return d, errors.New("bytes that are not a PDF or do not have their hash")
	case d.Key != q.Key || d.Kind != q.Kind || d.Number == "" || d.Pages < 1 || d.Pages > 100:
		return d, errors.New("another document than was asked for")
	case !wire.Verify(s.mine.platform, d.SigningBytes(), d.Signature):
		return d, errors.New("a signature that does not verify")
	}
	return d, nil
}

func checkDocument(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	_, err := s.issue(ctx, s.wanted(newID()))
	return err
}

func checkIdempotent(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	q := s.wanted(newID())
	first, err := s.issue(ctx, q)
	if err != nil {
		return err
	}
	again, err := s.mine.post(ctx, wire.PathDocuments, q)
	if err != nil {
		return err
	}
	var d wire.Document
	if err := again.read(&d); err != nil {
		return err
	}
	if d.Number != first.Number || d.SHA256 != first.SHA256 || !bytes.Equal(d.PDF, first.PDF) {
		return errors.New("another document the second time")
	}
	return nil
}

func checkKeyReused(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	q := s.wanted(newID())
	if _, err := s.issue(ctx, q); err != nil {
		return err
	}
	a, err := s.other.post(ctx, wire.PathDocuments, q)
	if err := refused(a, err, "E-KEY-REUSED", "E-TOKEN"); err != nil {
		return fmt.Errorf("at another terminal: %w", err)
	}
	q.Params = map[string]string{"conform": "another request"}
	a, err = s.mine.post(ctx, wire.PathDocuments, q)
	return refused(a, err, "E-KEY-REUSED")
}

var lastChecks = []Check{
	{"revoked", "E-REVOKED, or E-CERT for its withdrawn certificate, from the next request on, also in the middle of a long poll", "Certificates", checkRevoked},
	{"error-bodies", "every refusal of this run in JSON, with a code and status of the registry", "Online calls", checkErrorBodies},
	{"server-time", "a Date within a minute of the signed time in every answer of this run", "Time", checkDates},
}

func checkRevoked(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	if s.cfg.Revoke == nil {
		return skip("no operator's command was given that puts a terminal out")
	}
	type came struct {
		a   answer
		err error
	}
	poll := make(chan came, 1)
	w, err := s.other.hello(ctx)
	if err != nil {
		return err
	}
	go func() {
		a, err := s.other.get(ctx, fmt.Sprintf("%s?after=%d&wait=50", wire.PathPull, w.Inbox))
		poll <- came{a, err}
	}()
	err = s.cfg.Revoke(ctx, s.other.id)
	polled := <-poll
	if err != nil {
		return skip("the operator's command failed: " + err.Error())
	}
	// One that was not yet refused was answered before; what counts is what comes next.
	if polled.err != nil {
		return fmt.Errorf("in the long poll: %w", polled.err)
	}
	codes := []string{"E-REVOKED", "E-CERT"} // its certificate is withdrawn as well, and is judged first
	if err := refused(polled.a, nil, codes...); err != nil {
		return fmt.Errorf("in the long poll: %w", err)
	}
	a, err := s.other.post(ctx, wire.PathHello, s.other.greeting())
	return refused(a, err, codes...)
}

func checkErrorBodies(_ context.Context, s *session) error {
	if s.seen.refusals == 0 {
		return skip("nothing was refused")
	}
	if len(s.seen.badErrors) > 0 {
		return errors.New(strings.Join(s.seen.badErrors, "; "))
	}
	return nil
}

func checkDates(_ context.Context, s *session) error {
	if s.seen.answers == 0 {
		return skip("nothing was answered")
	}
	if len(s.seen.badDates) > 0 {
		return errors.New(strings.Join(s.seen.badDates, "; "))
	}
	return nil
}
