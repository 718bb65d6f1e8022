package service

import (
	"context"
	"errors"
	"maps"
	"time"
)

// A Citizen is the person at the terminal, as the engine sees them: one question at a time, and things said without a
// question. The screen is one Citizen; a script is another; the same journey runs through both.
type Citizen interface {
	// Ask shows a prompt and waits for its answer. It returns [ErrBack], [ErrLeft] or [ErrTimedOut] when the citizen
	// goes back, ends the visit, or stops touching the screen for longer than the visit's patience; and ctx's cause when
	// ctx ends, which is how a card, an answer of the platform or an opened door answers instead of a finger.
	// Only one Ask stands at a time. The prompt that stood before is gone, with everything personal in it.
	Ask(ctx context.Context, p Prompt) (Answer, error)
	// Tell shows a view without waiting, or changes the standing prompt (a [CardNote]). It may be called from any goroutine,
	// also while an Ask stands.
	Tell(v View)
}

// How a prompt can end without an answer.
var (
	ErrBack     = errors.New("the citizen went back")
	ErrLeft     = errors.New("the citizen left")
	ErrTimedOut = errors.New("the citizen no longer answers")
)

// A Text is a message: an id of the language files with values, or wording that came from the platform per language.
// Never a finished sentence, so that language and size can change while it stands.
type Text struct {
	ID    string            // key in assets/lang/*.json
	Args  map[string]string // values for {name} in the message
	Parts map[string]Text   // values that are messages themselves
	Words map[string]string // by language ("zh", "en"); used when ID is ""
}

// T makes a Text from an id and pairs of name and value.
func T(id string, pairs ...string) Text {
	t := Text{ID: id}
	if len(pairs) > 1 {
		t.Args = make(map[string]string, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			t.Args[pairs[i]] = pairs[i+1]
		}
	}
	return t
}

// With returns the text with a message as the value of {name}.
func (t Text) With(name string, part Text) Text {
	parts := maps.Clone(t.Parts)
	if parts == nil {
		parts = map[string]Text{}
	}
	parts[name] = part
	t.Parts = parts
	return t
}

// Worded makes a Text from wording per language.
func Worded(w map[string]string) Text { return Text{Words: w} }

// A Page is what every prompt and view has in common.
type Page struct {
	Item  string // item code, "" outside an item
	Steps []Text // the item's visible steps, for the progress bar
	At    int    // index into Steps; -1 when the bar is not shown
	Back  bool   // a Back button works (before the commit point)
	Exit  bool   // an Exit button works
}

// Frame returns the page; every prompt and view embeds one.
func (p Page) Frame() Page { return p }

// A Prompt asks; Name is its stable id: the screen, the voice file and the picture in the manual are named by it.
type Prompt interface {
	Frame() Page
	Name() string
}

// An Answer answers a prompt; which type, the prompt's comment says.
type Answer interface{ answer() }

// A View tells.
type View interface{ Name() string }

// ---- prompts ----

// Attract invites from afar. Answered by Next, or by ItemChosen when a tile was touched at once.
type Attract struct {
	Page
	Tiles   []Tile
	Notices []Text
}

// Home offers the items. Answered by ItemChosen.
type Home struct {
	Page
	Tiles   []Tile
	Notices []Text
}

// A Tile is one item on the home screen, with the truth about whether it works now.
type Tile struct {
	Code    string
	Zone    string
	Icon    string // name under assets/icons
	Name    Text
	Hint    Text
	Ready   bool
	Why     Text // why not, when not Ready
	Offline bool // works without the platform
}

// Consent asks for agreement to what is done with personal data. Answered by Next; Back refuses. Where Otherwise is set there is
// another way, whose button answers Cancelled.
type Consent struct {
	Page
	Title     Text
	Lines     []Text
	Otherwise Text
}

// PlaceCard asks for the identity card. The card itself answers, through ctx; fingers can only go back or leave.
type PlaceCard struct {
	Page
	Other   bool // the number may be typed instead: answered by Next
	Voucher bool // the code of a voucher may be shown to the scanner instead
	Tries   int  // failed tries so far
}

// EnterCode asks for the one-time code. Answered by Entered{Value}, by Again (send another), and where there are Others by Cancelled:
// another way than a code.
type EnterCode struct {
	Page
	Phone     string // masked
	Until     time.Time
	TriesLeft int
	Wrong     bool // the last code was wrong
	Digits    int  // length of a code
	Others    bool // there are other ways of proving who it is
}

// Form asks for values. Answered by Filled.
type Form struct {
	Page
	Title  Text
	Hint   Text
	Fields []Field
}

// FieldKind says which keyboard a field needs and what it accepts.
type FieldKind string

// Field kinds.
const (
	FieldPhone  FieldKind = "phone"  // 11 digits, 1[3-9]…; numeric keys
	FieldDigits FieldKind = "digits" // numeric keys
	FieldLatin  FieldKind = "latin"  // Latin keyboard
	FieldText   FieldKind = "text"   // Latin keyboard with signs: addresses, paths, codes; for technicians
	FieldHan    FieldKind = "han"    // Chinese by pinyin, and all that FieldText has: names, places, remarks
	FieldChoice FieldKind = "choice" // one of Options
	FieldMonth  FieldKind = "month"  // YYYYMM, numeric keys
	// FieldIDNumber is an identity number: digits, at the end perhaps an X.
	FieldIDNumber FieldKind = "id-number"
)

// A Field is one value of a form.
type Field struct {
	ID       string
	Kind     FieldKind
	Label    Text
	Hint     Text
	Required bool
	Max      int // characters
	Options  []Option
	Value    string // shown at first (going back keeps what was typed)
	Problem  Text   // why the last value was refused; zero Text when it was not
	Private  bool   // masked when not being typed
	Secret   bool   // never shown: a PIN
}

// An Option is one choice.
type Option struct {
	ID     string
	Label  Text
	Detail Text
}

// Choose asks for one of several. Answered by Chosen.
type Choose struct {
	Page
	Title   Text
	Hint    Text
	Options []Option
}

// Ink asks for handwriting with a finger. Answered by Drawn.
type Ink struct {
	Page
	Title Text
	Hint  Text
}

// Review shows what will be done and asks for a yes. Answered by Next.
type Review struct {
	Page
	Title  Text
	Rows   []Row
	Notice Text
}

// A Row is a labelled value. A private value shows its mask until pressed.
type Row struct {
	Label   Text
	Value   Text   // for values that are wording
	Plain   string // for values that are data
	Masked  string
	Private bool
}

// Result shows what a query found. Answered by Next or PrintSlip (only offered when CanPrint).
type Result struct {
	Page
	Title    Text
	AsOf     time.Time
	Sections []Section
	CanPrint bool
}

// A Section is a titled group of rows.
type Section struct {
	Title Text
	Rows  []Row
	QR    string // stands as a code on a slip; "" without
}

// Guide shows one entry of the guide. Answered by Next or PrintSlip (only offered when CanPrint).
type Guide struct {
	Page
	Title    Text
	Sections []GuideSection
	CanPrint bool
}

// GuideSection is a heading with lines.
type GuideSection struct {
	Title Text
	Lines []Text
}

// Wait shows that something takes time. What is awaited ends it through ctx; after CancelAfter (15 s) a Cancel button
// appears, answered by Cancelled.
type Wait struct {
	Page
	Title       Text
	Hint        Text
	CancelAfter time.Duration
}

// Pay shows what is to be paid and the code for it. That it was paid ends it through ctx. While it stands nobody is timed out
// before Until. Answered by Cancelled, or by Next ("I have paid"), after which it comes again with Confirming.
type Pay struct {
	Page
	Title      Text
	Amount     string   // yuan, "10.00"
	Reason     Text     // of the amount
	QR         string   // text of the code
	Way        string   // channel of the code, one of Ways
	Ways       []Option // channels to choose from, answered by Chosen; fewer than two: there is no choice
	Number     string   // of the bill (缴款码)
	Cash       Text     // where the fee is taken in cash; may be the zero Text
	Until      time.Time
	Confirming bool // the payment is being confirmed: nobody should pay again
	Changed    bool // the amount is another than the one shown before
	Reserved   bool // what the item uses up is set aside
}

// Pose shows the person what the camera sees of them, with what they should do. It ends through ctx when the picture has been good
// for a while, or is answered by Next: take it as it is.
type Pose struct {
	Page
	Title   Text
	Hint    Text
	Problem Text // why the last picture would not do; zero at first
	Left    int  // tries left after this one
	Face    bool // for a comparison, not for a photo
	Live    *Live
}

// PickPhoto lets the citizen choose between photos (JPEG, upright; wiped when the prompt ends). Answered by Chosen with the index, or
// by Again while Left is not 0.
type PickPhoto struct {
	Page
	Title  Text
	Photos [][]byte
	Left   int
}

// AwaitDecision shows that an official decides, and with which code one comes back. The decision ends it through ctx. Answered by
// Cancelled: the citizen goes, and comes back.
type AwaitDecision struct {
	Page
	Title   Text
	Hint    Text
	Receipt string
	Number  string        // of the application
	Wait    time.Duration // as a guess; 0 when it cannot be said
	QR      string
}

// AwaitStaff shows the number by which a member of staff knows whom they vouch for, and that they come. Their word ends it through ctx;
// nobody is timed out before Until. Answered by Cancelled: another way, where there are Others, or nobody need come.
type AwaitStaff struct {
	Page
	Number string // digits
	Until  time.Time
	Others bool
}

// FingerPhase is what the person at the fingerprint sensor does now.
type FingerPhase string

// Phases at the sensor.
const (
	FingerLay   FingerPhase = "lay"   // lays the finger down
	FingerComes FingerPhase = "comes" // may lift it: the picture was taken, and takes some seconds over the line
	FingerLift  FingerPhase = "lift"  // lifts it, so that another picture can be taken
)

// LayFinger guides whoever agreed to have a finger compared. The sensor ends it through ctx. Answered by Cancelled: another way, where there
// are Others, or no finger.
type LayFinger struct {
	Page
	Phase   FingerPhase
	Problem Text // with the picture before; zero: there was none
	Left    int  // comparisons that are left, this one among them
	Others  bool
}

// TakeCard asks to take the identity card away; the reader answers through ctx. Louder after Seconds.
type TakeCard struct {
	Page
	Urgent bool
}

// TakeOutput asks to take paper, or a card that was made, from the mouth; the sensor answers through ctx.
type TakeOutput struct {
	Page
	Urgent bool
	Card   bool
}

// Done ends a case: what came out, and the rating. Answered by Rated, Level "" when skipped.
type Done struct {
	Page
	Title       Text
	Rows        []Row
	RatingForm  string   // version
	Levels      []Option // five, best first; empty where nothing is rated
	CardOnGlass bool     // remind of the identity card
}

// Trouble tells what went wrong: what happened, what it means, what to do, and a code for the desk. Answered by Next, or by TakeTicket where
// there is a Queue and not NoTicket.
type Trouble struct {
	Page
	What    Text
	Means   Text
	Do      Text
	Code    string // for the desk: receipt code or error code
	QR      string // shown when no slip could be printed
	Printed bool   // a trouble slip was printed
	// Queue is that of the window that helps; nil when there is none. NoTicket: a number was asked for and could not be had.
	Queue    *Queue
	NoTicket bool
}

// Queued shows the number that was taken, why, and what to do at the window. Answered by Next.
type Queued struct {
	Page
	Ticket  Ticket
	What    Text // may be the zero Text, as may Do
	Do      Text
	Printed bool // it is on paper too
}

// ---- answers ----

// Next goes on.
type Next struct{}

// PrintSlip asks for a slip of what is shown.
type PrintSlip struct{}

// TakeTicket takes a number of the hall's queue.
type TakeTicket struct{}

// Cancelled gives up waiting.
type Cancelled struct{}

// Again asks for another code.
type Again struct{}

// ItemChosen picks an item.
type ItemChosen struct{ Code string }

// Chosen picks an option.
type Chosen struct{ ID string }

// Entered is a typed value.
type Entered struct{ Value string }

// Filled is a form's values by field id.
type Filled struct{ Values map[string]string }

// Drawn is handwriting: black on white, PNG; Strokes is never 0.
type Drawn struct {
	PNG     []byte
	Strokes int
}

// Rated is an evaluation; Level is an option id, or "" when skipped.
type Rated struct{ Level string }

func (Next) answer()       {}
func (PrintSlip) answer()  {}
func (TakeTicket) answer() {}
func (Cancelled) answer()  {}
func (Again) answer()      {}
func (ItemChosen) answer() {}
func (Chosen) answer()     {}
func (Entered) answer()    {}
func (Filled) answer()     {}
func (Drawn) answer()      {}
func (Rated) answer()      {}

// ---- views ----

// Progress shows the stages of the work in hand.
type Progress struct {
	Page
	Title  Text
	Hint   Text
	Stages []Stage
	Note   Text // reassurance ("a power cut loses nothing")
	Rows   []Row
}

// StageState is how far a stage is.
type StageState string

// Stage states.
const (
	StageWaiting StageState = "waiting"
	StageRunning StageState = "running"
	StageDone    StageState = "done"
	StageFailed  StageState = "failed"
	StageLater   StageState = "later" // will happen by itself ("reported when the link is back")
)

// A Stage is one line of a Progress.
type Stage struct {
	Label   Text
	State   StageState
	Detail  Text
	Percent int // -1 when unknown
}

// CardNote changes a standing PlaceCard: devices.ReadEvent words ("found", "again", "not-card"), or [NotVoucher].
type CardNote struct{ Event string }

// OutOfService closes the terminal with a reason. It stands until another view or prompt.
type OutOfService struct {
	Page
	Why  Text
	Code string
}

// Ended ends the visit: everything of the citizen is wiped, settings go back to default.
type Ended struct{}

// Name gives each prompt's and view's stable id.
func (Attract) Name() string       { return "attract" }
func (Home) Name() string          { return "home" }
func (Consent) Name() string       { return "consent" }
func (PlaceCard) Name() string     { return "identify" }
func (EnterCode) Name() string     { return "verify" }
func (Form) Name() string          { return "form" }
func (Choose) Name() string        { return "choose" }
func (Ink) Name() string           { return "ink" }
func (Review) Name() string        { return "review" }
func (Result) Name() string        { return "result" }
func (Guide) Name() string         { return "guide" }
func (Wait) Name() string          { return "wait" }
func (Pay) Name() string           { return "pay" }
func (Pose) Name() string          { return "photo" }
func (PickPhoto) Name() string     { return "pick-photo" }
func (AwaitDecision) Name() string { return "decision" }
func (AwaitStaff) Name() string    { return "staff" }
func (LayFinger) Name() string     { return "finger" }
func (TakeCard) Name() string      { return "take-card" }
func (TakeOutput) Name() string    { return "take-output" }
func (Done) Name() string          { return "done" }
func (Trouble) Name() string       { return "trouble" }
func (Queued) Name() string        { return "ticket" }
func (Progress) Name() string      { return "progress" }
func (CardNote) Name() string      { return "card-note" }
func (OutOfService) Name() string  { return "out-of-service" }
func (Ended) Name() string         { return "ended" }
