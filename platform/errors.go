package platform

// The error registry: every code a terminal can be answered with, what it means and what the terminal does. The table is
// the source of docs/error-codes.md.

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// An APIError is one entry of the registry.
type APIError struct {
	Code    string
	Status  int
	Meaning string
	Then    string // what the terminal does
}

// Error is the code.
func (e *APIError) Error() string { return e.Code }

// The registry.
var (
	errMalformed       = register("E-MALFORMED", 400, "the request is not as the interface describes it", "reports it; does not send the same again by itself")
	errAuth            = register("E-AUTH", 401, "no valid signature of an enrolled terminal", "shows offline items only; a technician looks at the enrolment")
	errUnknownTerminal = register("E-TERMINAL", 401, "the terminal is not enrolled", "shows offline items only; a technician enrols it")
	errClock           = register("E-CLOCK", 401, "the request's time lies more than 180 s from the platform's, or it is a hello of another run of the program that was signed before the terminal was last heard", "corrects its clock offset from the answer and tries again")
	errReplay          = register("E-REPLAY", 401, "the very same request was seen before", "sends a new one")
	errCert            = register("E-CERT", 401, "no client certificate of the platform's authority for this terminal, or one that was replaced", "connects anew with its newest certificate; a technician looks if it stays so")
	errCertExpired     = register("E-CERT-EXPIRED", 401, "the client certificate is not valid at the platform's time", "renews it; after half a year a technician enrols it again")
	errRevoked         = register("E-REVOKED", 403, "an operator put this terminal out", "shows offline items only; a technician asks the platform's operator")
	errProof           = register("E-PROOF", 403, "the enrolment's proof fits no code of this terminal, or its keys are not its own", "waits for a technician with a right code")
	errEnrollExpired   = register("E-ENROLL-EXPIRED", 410, "the enrolment code is too old", "waits for a technician with a new code")
	errEnrollUsed      = register("E-ENROLL-USED", 409, "the enrolment code has let in another key", "waits for a technician; somebody else may have used the code")
	errEnrollLocked    = register("E-ENROLL-LOCKED", 429, "too many wrong proofs for this enrolment code", "waits for a technician with a new code")
	errEnrolled        = register("E-ENROLLED", 409, "the terminal is enrolled with another key", "waits until an operator resets it at the platform")
	errVersion         = register("E-VERSION", 422, "the envelope's version is not one that this platform understands", "keeps its records; platform or terminal is brought up to date")
	errNotFound        = register("E-NOT-FOUND", 404, "there is no such thing", "tells the citizen what was not found")
	errTooLarge        = register("E-TOO-LARGE", 413, "the body is larger than the limit, incomplete, or packed in an unknown way", "reports it; sends smaller batches")
	errBatch           = register("E-BATCH", 422, "the batch is not contiguous, not chained or not signed as it must be", "says hello and compares lanes")
	errFork            = register("E-FORK", 409, "the lane's history differs from the platform's", "says hello and begins the epoch it is given")
	errGap             = register("E-GAP", 409, "records before this batch are missing", "says hello and sends from where the platform stands")
	errBlob            = register("E-BLOB", 422, "the bytes do not have the hash they were sent under", "reads its file again and sends it")
	errOffset          = register("E-OFFSET", 409, "the part does not begin where the platform stands", "asks how much is held and goes on from there")
	errCaseOver        = register("E-CASE-OVER", 409, "the case has ended", "tells the citizen how it ended")
	errMoved           = register("E-MOVED", 409, "the case went on at another terminal, which holds its lease", "leaves the case to that terminal, and takes it off its own list for people")
	errNoRecord        = register("E-NO-RECORD", 404, "the back end has no record of this person", "refers the citizen to the window")
	errNoPhone         = register("E-NO-PHONE", 409, "no phone is registered for this person", "refers the citizen to the window")
	errCodeWrong       = register("E-CODE-WRONG", 403, "the one-time code is wrong", "asks again while tries are left")
	errCodeLocked      = register("E-CODE-LOCKED", 429, "too many wrong codes or too many codes asked for", "refers the citizen to the window; later tries work")
	errCodeExpired     = register("E-CODE-EXPIRED", 410, "the one-time code is too old", "offers to send another")
	errToken           = register("E-TOKEN", 403, "the person was not verified for this visit, or too long ago", "verifies the person again")
	errKeyReused       = register("E-KEY-REUSED", 422, "the key was used with another request before", "reports it; the case goes to the desk")
	errInProgress      = register("E-IN-PROGRESS", 409, "the same request is being worked on", "waits and asks again with the same key")
	errGlyph           = register("E-GLYPH", 422, "a character of the name cannot be printed", "refers the citizen to the window; nothing is printed with a box in it")
	errEpoch           = register("E-EPOCH", 409, "the epoch is beyond the last that there can be, or no other is left", "stops sending; an operator resets the terminal and a technician gives it a new journal")
	errBackend         = register("E-BACKEND", 503, "the back end of this item does not work now", "greys the item until it works")
	errNoChannel       = register("E-CHANNEL", 503, "no payment channel takes money now", "tells the citizen where cash is taken; nothing was charged")
	errFaceOther       = register("E-FACE-OTHER", 403, "the picture does not show the person", "lets the citizen try again while tries are left, then offers another way")
	errFaceLocked      = register("E-FACE-LOCKED", 429, "too many pictures were compared for this person", "refers the citizen to another way of proving who it is, or to the window")
	errFingerOther     = register("E-FINGER-OTHER", 403, "the picture shows no finger of the person", "lets the citizen try again while tries are left, then offers another way")
	errFingerPoor      = register("E-FINGER-POOR", 422, "the picture of the finger is too poor to compare", "has the finger laid down again while tries are left, then offers another way")
	errFingerLocked    = register("E-FINGER-LOCKED", 429, "too many fingers were compared for this person", "refers the citizen to another way of proving who it is, or to the window")
	errPicture         = register("E-PICTURE", 422, "a picture is not of the kind or size that it must be", "takes it again; after that refers the citizen to the window")
	errNoStaff         = register("E-NO-STAFF", 409, "no member of staff can be called to this terminal now", "offers the other ways of proving who it is")
	errStaffLocked     = register("E-STAFF-LOCKED", 429, "staff were called too often in this visit, at this terminal or for this person, or said that it is somebody else", "offers the other ways of proving who it is, or refers the citizen to the window")
	errVouched         = register("E-VOUCHED", 409, "the member of staff who vouched for the person has approved the application", "asks for another member of staff, or another way")
	errCardRefused     = register("E-CARD-REFUSED", 409, "the person may not have a card of this kind now", "asks again whether the person may, and tells why not")
	errCardOpen        = register("E-CARD-OPEN", 409, "an application of this person is under way", "asks again whether the person may, and goes on with that one")
	errCardState       = register("E-CARD-STATE", 409, "the application is not where this is possible", "asks how it stands, and goes by that")
	errUnpaid          = register("E-UNPAID", 402, "the case is not paid", "asks for the bill; prints nothing")
	errBlank           = register("E-BLANK", 409, "no card may be printed on this blank for this case", "prints nothing; keeps the blank for two people to look at; the case goes to the desk")
	errBusy            = register("E-BUSY", 503, "the platform is busy", "waits as long as it is told")
	errInternal        = register("E-INTERNAL", 500, "the platform failed", "tries again with growing pauses")
)

// Registry is every error, in the order of the table.
var Registry []*APIError

func register(code string, status int, meaning, then string) *APIError {
	e := &APIError{code, status, meaning, then}
	Registry = append(Registry, e)
	return e
}

// refuse answers with a registered error. The message is for an engineer and carries no personal data.
func (s *Server) refuse(w http.ResponseWriter, e *APIError, message string) {
	s.refuseAfter(w, e, message, 0)
}

func (s *Server) refuseAfter(w http.ResponseWriter, e *APIError, message string, after time.Duration) {
	if a, is := w.(*answerWriter); is {
		a.refused = e
	}
	w.Header().Set("Content-Type", "application/json")
	if e == errTooLarge {
		w.Header().Set("Connection", "close") // what is left of the body is not waited for
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds()+0.999)))
	}
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(wire.Error{Code: e.Code, Message: message, RetryAfterMS: after.Milliseconds()})
}

// fail answers for an error from within: a registered one as it is, any other as internal, logged.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var e *APIError
	if errors.As(err, &e) {
		s.refuse(w, e, e.Meaning)
		return
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrInDoubt) {
		s.cfg.Log.Warn("store", "error", err)
		s.refuseAfter(w, errBusy, "the store is busy or out of reach, or did not confirm the change", time.Second)
		return
	}
	s.cfg.Log.Error("request failed", "error", err)
	s.refuse(w, errInternal, "internal error")
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
