package wire

// What comes from outside is read without panics, and what was read means the same when it is written again.

import (
	"bytes"
	"crypto/ecdh"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func sample() Batch {
	var all []Record
	prev := Hash{}
	for i, body := range []string{`{"item":"SB-P"}`, `"x\u003c\u0026\u003e"`, `null`} {
		r := Record{Header: Header{V: Version, Terminal: "990000-0003", Epoch: 2, Lane: LaneTx, Seq: uint64(i + 1), ID: "0190", Case: "c",
			Type: TypeCaseState, Schema: 1, Wall: time.UnixMilli(1_700_000_000_123).UTC(), Mono: 5, Boot: "b", ClockOff: -7, Prev: prev},
			Salt: Hash{byte(i)}, Body: json.RawMessage(body)}
		r.BodyHash = HashBody(r.Salt, r.Body)
		prev = r.Header.Hash()
		all = append(all, r)
	}
	return Batch{V: Version, Terminal: "990000-0003", Epoch: 2, Lane: LaneTx, Records: all, Signature: []byte{1, 2}}
}

func seed(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The chain must not break on its way through JSON, whatever characters a body has.
func TestABatchSurvivesJSON(t *testing.T) {
	b := sample()
	var got Batch
	if err := json.Unmarshal(seed(t, b), &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.SigningBytes(), b.SigningBytes()) {
		t.Error("what is signed changed")
	}
	prev := Hash{}
	for i, r := range got.Records {
		if err := r.Check(prev); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		prev = r.Header.Hash()
	}
}

// Every field of a header is in its hash.
func TestEveryFieldIsChained(t *testing.T) {
	base := sample().Records[1].Header
	for what, change := range map[string]func(h *Header){
		"v": func(h *Header) { h.V++ }, "terminal": func(h *Header) { h.Terminal += "x" }, "epoch": func(h *Header) { h.Epoch++ },
		"lane": func(h *Header) { h.Lane = LanePay }, "seq": func(h *Header) { h.Seq++ }, "id": func(h *Header) { h.ID += "x" },
		"case": func(h *Header) { h.Case = "" }, "type": func(h *Header) { h.Type = "x" }, "schema": func(h *Header) { h.Schema++ },
		"wall": func(h *Header) { h.Wall = h.Wall.Add(time.Millisecond) }, "mono": func(h *Header) { h.Mono++ },
		"boot": func(h *Header) { h.Boot = "" }, "clock": func(h *Header) { h.ClockOff++ },
		"body": func(h *Header) { h.BodyHash[0]++ }, "prev": func(h *Header) { h.Prev[0]++ },
		"lease":  func(h *Header) { h.Lease++ },
		"unsure": func(h *Header) { h.ClockUnsure = true },
		"border": func(h *Header) { h.Case, h.Type = h.Case+h.Type[:1], h.Type[1:] },
	} {
		h := base
		change(&h)
		if h.Hash() == base.Hash() {
			t.Errorf("%s is not in the hash", what)
		}
	}
}

func TestCheck(t *testing.T) {
	for what, spoil := range map[string]func(r *Record){
		"version": func(r *Record) { r.V = 2 },
		"chain":   func(r *Record) { r.Prev[3]++ },
		"body":    func(r *Record) { r.Body = json.RawMessage(`{}`) },
		"salt":    func(r *Record) { r.Salt[0]++ },
		"size":    func(r *Record) { r.Body = bytes.Repeat([]byte(" "), MaxRecordBody+1) },
	} {
		r := sample().Records[0]
		spoil(&r)
		if r.Check(Hash{}) == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte(Hash{1, 2, 3}.String()))
	f.Add([]byte(""))
	f.Add(bytes.Repeat([]byte("zz"), 32))
	f.Add(bytes.Repeat([]byte("AB"), 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Hash
		if h.UnmarshalText(b) != nil {
			return
		}
		again, err := h.MarshalText()
		if err != nil || !bytes.Equal(again, bytes.ToLower(b)) {
			t.Errorf("%q became %q, %v", b, again, err)
		}
	})
}

func FuzzBatch(f *testing.F) {
	f.Add(seed(f, sample()))
	f.Add([]byte(`{"records":[{"seq":18446744073709551615,"wall":"0001-01-01T00:00:00Z","body":{"a":1}}]}`))
	f.Add([]byte(`{"records":[{"prev":"00"}]}`))
	f.Add([]byte(`{"records":null,"lane":"\u0000"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b Batch
		if json.Unmarshal(raw, &b) != nil {
			return
		}
		signed := b.SigningBytes()
		prev := Hash{}
		for _, r := range b.Records {
			_ = r.Check(prev)
			prev = r.Header.Hash()
		}
		again, err := json.Marshal(b)
		if err != nil {
			return // a time outside what JSON can say
		}
		var back Batch
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !bytes.Equal(back.SigningBytes(), signed) {
			t.Errorf("signed bytes changed:\n%s\n%s", signed, back.SigningBytes())
		}
	})
}

// FuzzWireMessages reads everything that a platform may answer, or a person hand in as a file.
func FuzzWireMessages(f *testing.F) {
	a := Ack{Terminal: "t", Epoch: 1, Lane: LaneTx, High: 3, Outcomes: []Outcome{{1, Quarantined, "why"}}, Signature: []byte{1}}
	f.Add(seed(f, a))
	f.Add(seed(f, Welcome{Epoch: 2, Fork: []Lane{LanePay}, Lanes: map[Lane]LanePoint{LaneTx: {Seq: 1}}}))
	f.Add(seed(f, Inbox{Messages: []Message{{No: 1, ID: "x", Type: "notice", Body: json.RawMessage(`{}`)}}}))
	f.Add(seed(f, Document{Number: "N", PDF: []byte("%PDF")}))
	f.Add(seed(f, Catalogue{Items: map[string]Avail{"x": {Why: map[string]string{"zh": "停"}}}}))
	f.Add(seed(f, Error{Code: "E-BUSY", RetryAfterMS: -1}))
	f.Add([]byte(`{"high":-1}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range []interface{}{&Ack{}, &Welcome{}, &Inbox{}, &Document{}, &Catalogue{}, &Error{}, &Enrolled{}, &CodeSent{}, &CodeChecked{}, &Answer{}} {
			if json.Unmarshal(raw, v) != nil {
				continue
			}
			switch m := v.(type) {
			case *Ack:
				_ = m.SigningBytes()
			case *Inbox:
				for _, one := range m.Messages {
					_ = one.SigningBytes("t")
				}
			case *Document:
				_ = m.SigningBytes()
			}
		}
	})
}

// FuzzSealedRecord opens what may come from a file that somebody carried here.
func FuzzSealedRecord(f *testing.F) {
	private, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	key, err := SealDataKey(private.PublicKey().Bytes(), "t", "c", 1, bytes.Repeat([]byte{9}, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed(f, SealedRecord{Header: Header{V: 1, Terminal: "t"}, KeyID: "c", Gen: 1, Key: key, Sealed: bytes.Repeat([]byte{1}, 90)}))
	f.Add(seed(f, SealedRecord{KeyID: "c", Key: key[:40], Sealed: nil}))
	f.Add([]byte(`{"key":"","sealed":"AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s SealedRecord
		if json.Unmarshal(raw, &s) != nil {
			return
		}
		if _, err := s.Open(private); err == nil {
			t.Error("opened")
		}
	})
}

// FuzzWitness reads the file that lies beside a journal, whatever is in it.
func FuzzWitness(f *testing.F) {
	h := AuditHead{Terminal: "990000-0003", Epoch: 1, Seq: 7, Why: "hour", At: time.UnixMilli(1_700_000_000_123).UTC(), Signature: []byte{1}}
	f.Add(seed(f, Witness{Head: h}))
	f.Add(seed(f, Witness{Head: h, Ack: &Ack{High: 3}}))
	f.Add([]byte(`{"head":{"epoch":1}}`))
	f.Add(bytes.Repeat([]byte(" "), MaxWitnessBytes+1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := ReadWitness(raw)
		if err == nil && (w.Head.Epoch == 0 || len(w.Head.SigningBytes()) == 0) {
			t.Errorf("%+v", w)
		}
	})
}

// FuzzBackedUp: what a backup is said to hold is refused, or names lanes and places that there can be.
func FuzzBackedUp(f *testing.F) {
	f.Add([]byte(`{"taken":"2026-11-22T02:00:00Z","lanes":{"tx":{"epoch":1,"seq":7,"hash":"` + strings.Repeat("0a", 32) + `"}}}`))
	f.Add([]byte(`{"lanes":{"tx":{"epoch":0,"seq":7}}}`))
	f.Add([]byte(`{"lanes":{"nobody's":{"epoch":1,"seq":1}}}`))
	f.Add(append([]byte(`{"lanes":{}}`), bytes.Repeat([]byte(" "), 17<<10)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadBackedUp(b)
		if err != nil {
			if !errors.Is(err, ErrBackedUp) || len(got.Lanes) > 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		for lane, p := range got.Lanes {
			if !slices.Contains(Lanes, lane) || p.Epoch == 0 || p.Seq == 0 {
				t.Fatalf("%s at %+v", lane, p)
			}
		}
	})
}

// FuzzSalvage: a file of salvaged records gives records or an error, and never more of them than lines.
func FuzzSalvage(f *testing.F) {
	sound, err := json.Marshal(SealedRecord{Header: sample().Records[0].Header, KeyID: "c", Key: []byte("key"), Sealed: []byte("sealed")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(append(bytes.Clone(sound), '\n'), sound...))
	f.Add(append(append(bytes.Clone(sound), '\n'), "cut o"...))
	f.Add([]byte("{}\n{}\n"))
	f.Add([]byte("{\"header\":{\"seq\":1}}\nnot a record\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := ReadSalvage(bytes.NewReader(b), func(SealedRecord) error { n++; return nil })
		if err != nil && !errors.Is(err, ErrSalvage) || n > bytes.Count(b, []byte("\n"))+1 {
			t.Fatalf("%d records, %v", n, err)
		}
	})
}

// FuzzOpenBytes: what was sealed opens as what it was, in either profile, and anything else does not open.
func FuzzOpenBytes(f *testing.F) {
	key, about := [32]byte{1, 2, 3}, []byte("about")
	f.Add([]byte("BDYSM4-1"), []byte("plain"))
	f.Add(append([]byte("BDYSM4-1"), make([]byte, 40)...), []byte{})
	f.Add(make([]byte, 40), []byte("BDYSM4-1"))
	f.Fuzz(func(t *testing.T, b, plain []byte) {
		if got, err := OpenBytes(&key, b, about); err == nil {
			t.Fatalf("%x opened as %x", b, got)
		}
		for _, c := range []Cipher{AES256GCM, SM4GCM} {
			sealed, err := SealBytes(c, &key, plain, about)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := OpenBytes(&key, sealed, about); err != nil || !bytes.Equal(got, plain) || SealedBy(sealed) != c {
				t.Fatalf("%s: %x, %v", c, got, err)
			}
			bad := bytes.Clone(sealed)
			bad[len(b)%len(bad)] ^= 1
			if got, err := OpenBytes(&key, bad, about); err == nil {
				t.Fatalf("%s: one bit at %d, and it opened as %x", c, len(b)%len(bad), got)
			}
			if _, err := OpenBytes(&key, sealed, []byte("something else")); err == nil {
				t.Fatalf("%s: bound to nothing", c)
			}
		}
	})
}
