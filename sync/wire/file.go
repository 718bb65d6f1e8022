package wire

// Files: what crosses where no line does. A file is self-contained, signed as a whole, and read in bounded space.
//
//	magic     16 bytes "BUDAYANG-FILE-1\n"
//	section   1 byte kind, 4 bytes length (big-endian), so many bytes; again and again
//	          'H' header, JSON; always the first
//	          'K' key encapsulated for the platform (HPKE: DHKEM X25519, HKDF-SHA-256, AES-256-GCM); before the first sealed one
//	          'B' sealed: a Batch, JSON, gzip
//	          'F' sealed: a blob
//	          'A' an Ack, JSON
//	          'M' an inbox Message, JSON
//	          'S' signature over FileSigningBytes of all bytes before this section; always the last
//
// Batches and blobs are sealed because a stick can be lost: whoever finds it learns the terminal's id and how much it had to
// send. Acks and messages carry nothing personal.

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits of a file.
const (
	MaxFileBytes    = 64 << 20
	MaxFileSections = 4096
)

const (
	fileMagic     = "BUDAYANG-FILE-1\n"
	maxFileHeader = 256 << 10
)

// Errors of reading a file.
var (
	ErrFileForeign = errors.New("not a file of this protocol")
	ErrFileDamaged = errors.New("file is cut off or damaged")
)

// SectionKind says what a section carries.
type SectionKind byte

// Section kinds.
const (
	SectionHeader    SectionKind = 'H'
	SectionKey       SectionKind = 'K'
	SectionBatch     SectionKind = 'B'
	SectionBlob      SectionKind = 'F'
	SectionAck       SectionKind = 'A'
	SectionMessage   SectionKind = 'M'
	SectionSignature SectionKind = 'S'
)

// FileKind is which way a file goes.
type FileKind string

// File kinds.
const (
	FileBatches FileKind = "batches" // terminal → platform
	FileAcks    FileKind = "acks"    // platform → terminal
)

// FileHeader says in the open what a file is.
type FileHeader struct {
	V        int       `json:"v"`
	Kind     FileKind  `json:"kind"`
	Terminal string    `json:"terminal"`
	No       uint64    `json:"no"` // counts a terminal's exports; an ack file has the number of the file it answers
	Created  time.Time `json:"created"`
	Software string    `json:"software,omitempty"`
	// The epoch of the terminal's lanes; in an ack file the one in which the terminal is to go on.
	Epoch uint32 `json:"epoch,omitempty"`
	// Of batches.
	Inbox   uint64  `json:"inbox,omitempty"` // the last message that was taken
	InboxID string  `json:"inbox_id,omitempty"`
	Past    []Place `json:"past,omitempty"` // as in a hello
	// Of acks: where the platform stands in the epoch, what it lost of what was shown, and the blobs it holds.
	Lanes map[Lane]LanePoint `json:"lanes,omitempty"`
	Want  []Place            `json:"want,omitempty"` // as in a welcome
	// Held is how far each lane is held in the epoch of the file that is answered, when that file told another history.
	Held  map[Lane]uint64 `json:"held,omitempty"`
	Blobs []Hash          `json:"blobs,omitempty"`
}

// FileSigningBytes is what is signed, given the SHA-256 of everything before the signature.
func FileSigningBytes(before Hash) []byte {
	return fmt.Appendf(nil, "budayang-file-v1\n%s\n", before)
}

// FileWriter writes one file. The header is written by [NewFileWriter]; [FileWriter.Close] signs.
type FileWriter struct {
	w      io.Writer
	sum    interface{ Sum([]byte) []byte }
	sealer *hpke.Sender
	size   int
	n      int
}

// NewFileWriter begins a file. seal is the platform's X25519 key; nil for a file that carries nothing sealed.
func NewFileWriter(w io.Writer, h FileHeader, seal []byte) (*FileWriter, error) {
	sum := sha256.New()
	f := &FileWriter{w: io.MultiWriter(w, sum), sum: sum}
	if _, err := io.WriteString(f.w, fileMagic); err != nil {
		return nil, err
	}
	h.V = Version
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if err := f.section(SectionHeader, b); err != nil || seal == nil {
		return f, err
	}
	key, err := ecdh.X25519().NewPublicKey(seal)
	if err != nil {
		return nil, fmt.Errorf("platform's sealing key: %w", err)
	}
	pub, err := hpke.NewDHKEMPublicKey(key)
	if err != nil {
		return nil, err
	}
	enc, sender, err := hpke.NewSender(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), fileInfo(h))
	if err != nil {
		return nil, err
	}
	f.sealer = sender
	return f, f.section(SectionKey, enc)
}

// fileInfo binds what is sealed to its file.
func fileInfo(h FileHeader) []byte {
	return fmt.Appendf(nil, "budayang-file-v1\n%s\n%s\n%d\n", h.Kind, h.Terminal, h.No)
}

// Size is how many bytes were written so far.
func (f *FileWriter) Size() int { return f.size }

func (f *FileWriter) section(k SectionKind, b []byte) error {
	if f.n++; f.n > MaxFileSections || f.size+len(b) > MaxFileBytes {
		return fmt.Errorf("file: more than %d sections or %d bytes", MaxFileSections, MaxFileBytes)
	}
	head := binary.BigEndian.AppendUint32([]byte{byte(k)}, uint32(len(b)))
	if _, err := f.w.Write(head); err != nil {
		return err
	}
	f.size += len(head) + len(b)
	_, err := f.w.Write(b)
	return err
}

func (f *FileWriter) seal(k SectionKind, b []byte) error {
	if f.sealer == nil {
		return errors.New("file: nothing to seal with")
	}
	sealed, err := f.sealer.Seal([]byte{byte(k)}, b)
	if err != nil {
		return err
	}
	return f.section(k, sealed)
}

// Batch adds a signed batch.
func (f *FileWriter) Batch(b Batch) error {
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(raw)
	if err := z.Close(); err != nil {
		return err
	}
	return f.seal(SectionBatch, packed.Bytes())
}

// Blob adds a blob.
func (f *FileWriter) Blob(data []byte) error { return f.seal(SectionBlob, data) }

// Ack adds an ack.
func (f *FileWriter) Ack(a Ack) error { return f.open(SectionAck, a) }

// Message adds an inbox message.
func (f *FileWriter) Message(m Message) error { return f.open(SectionMessage, m) }

func (f *FileWriter) open(k SectionKind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.section(k, b)
}

// Close signs the file.
func (f *FileWriter) Close(sign func([]byte) ([]byte, error)) error {
	sig, err := sign(FileSigningBytes(Hash(f.sum.Sum(nil))))
	if err != nil {
		return err
	}
	return f.section(SectionSignature, sig)
}

// Section is one part of a file, sealed as it may be.
type Section struct {
	Kind SectionKind
	Data []byte
}

// File is a file that was read. Nothing in it can be relied on before its signature was verified over Signed.
type File struct {
	FileHeader
	Sections  []Section // between header and signature
	Signed    []byte
	Signature []byte
}

// ReadFile reads a whole file, at most [MaxFileBytes].
func ReadFile(r io.Reader) (*File, error) {
	all, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+maxFileHeader+1))
	if err != nil {
		return nil, err
	}
	if len(all) > MaxFileBytes+maxFileHeader {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrFileForeign, MaxFileBytes)
	}
	if !bytes.HasPrefix(all, []byte(fileMagic)) {
		if len(all) < len(fileMagic) && bytes.HasPrefix([]byte(fileMagic), all) {
			return nil, fmt.Errorf("%w: %d bytes", ErrFileDamaged, len(all))
		}
		return nil, fmt.Errorf("%w: it does not begin as one", ErrFileForeign)
	}
	f := &File{}
	for at := len(fileMagic); at < len(all); {
		begin := at
		if len(all)-at < 5 {
			return nil, fmt.Errorf("%w: half a section at byte %d", ErrFileDamaged, at)
		}
		kind, n := SectionKind(all[at]), int(binary.BigEndian.Uint32(all[at+1:]))
		at += 5
		if n < 0 || n > len(all)-at {
			return nil, fmt.Errorf("%w: section %q at byte %d has %d bytes of %d", ErrFileDamaged, kind, begin, len(all)-at, n)
		}
		data := all[at : at+n]
		at += n
		switch {
		case begin == len(fileMagic):
			if kind != SectionHeader || n > maxFileHeader || json.Unmarshal(data, &f.FileHeader) != nil {
				return nil, fmt.Errorf("%w: no header", ErrFileDamaged)
			}
			if f.V != Version {
				return nil, fmt.Errorf("%w: version %d, expected %d", ErrFileForeign, f.V, Version)
			}
		case kind == SectionSignature:
			if at != len(all) {
				return nil, fmt.Errorf("%w: %d bytes after its end", ErrFileDamaged, len(all)-at)
			}
			f.Signed, f.Signature = FileSigningBytes(sha256.Sum256(all[:begin])), data
			return f, nil
		case len(f.Sections) == MaxFileSections:
			return nil, fmt.Errorf("%w: more than %d sections", ErrFileDamaged, MaxFileSections)
		default:
			f.Sections = append(f.Sections, Section{kind, data})
		}
	}
	return nil, fmt.Errorf("%w: it has no end", ErrFileDamaged)
}

// Unsealed gives every batch and blob to take, in the order of the file, as key opens them. One that does not open is
// [ErrFileDamaged]: it was sealed for another platform, or another file.
func (f *File) Unsealed(key *ecdh.PrivateKey, batch func(Batch) error, blob func([]byte) error) error {
	priv, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return err
	}
	var opener *hpke.Recipient
	for i, s := range f.Sections {
		switch s.Kind {
		case SectionKey:
			if opener != nil {
				return fmt.Errorf("%w: two keys", ErrFileDamaged)
			}
			if opener, err = hpke.NewRecipient(s.Data, priv, hpke.HKDFSHA256(), hpke.AES256GCM(), fileInfo(f.FileHeader)); err != nil {
				return fmt.Errorf("%w: key: %v", ErrFileDamaged, err)
			}
		case SectionBatch, SectionBlob:
			if opener == nil {
				return fmt.Errorf("%w: sealed before its key", ErrFileDamaged)
			}
			plain, err := opener.Open([]byte{byte(s.Kind)}, s.Data)
			if err != nil {
				return fmt.Errorf("%w: section %d does not open with this platform's key", ErrFileDamaged, i)
			}
			if s.Kind == SectionBlob {
				if len(plain) > MaxBlobBytes {
					return fmt.Errorf("%w: blob of %d bytes", ErrFileDamaged, len(plain))
				}
				err = blob(plain)
			} else {
				var b Batch
				if b, err = unpackBatch(plain); err == nil {
					err = batch(b)
				}
			}
			if err != nil {
				return err
			}
		case SectionHeader, SectionSignature, SectionAck, SectionMessage:
			return fmt.Errorf("%w: section %q in a file of batches", ErrFileDamaged, s.Kind)
		}
		// Kinds that are not known are of a later version, and skipped.
	}
	return nil
}

func unpackBatch(packed []byte) (b Batch, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return b, fmt.Errorf("%w: batch: %v", ErrFileDamaged, err)
	}
	raw, err := io.ReadAll(io.LimitReader(z, MaxBatchBytes+1))
	if err != nil || len(raw) > MaxBatchBytes || json.Unmarshal(raw, &b) != nil {
		return b, fmt.Errorf("%w: batch cannot be read", ErrFileDamaged)
	}
	return b, nil
}

// Answers are an ack file's acks and messages.
func (f *File) Answers() (acks []Ack, messages []Message, err error) {
	for _, s := range f.Sections {
		switch s.Kind {
		case SectionAck:
			var a Ack
			if json.Unmarshal(s.Data, &a) != nil {
				return nil, nil, fmt.Errorf("%w: ack cannot be read", ErrFileDamaged)
			}
			acks = append(acks, a)
		case SectionMessage:
			var m Message
			if json.Unmarshal(s.Data, &m) != nil {
				return nil, nil, fmt.Errorf("%w: message cannot be read", ErrFileDamaged)
			}
			messages = append(messages, m)
		case SectionHeader, SectionSignature, SectionKey, SectionBatch, SectionBlob:
			return nil, nil, fmt.Errorf("%w: section %q in a file of acks", ErrFileDamaged, s.Kind)
		}
	}
	return acks, messages, nil
}
