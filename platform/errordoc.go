package platform

// The registry as a document.

import (
	"bytes"
	"fmt"
)

// terminalCodes are what a terminal itself shows a citizen for the desk; the platform's own code wins where there is one.
var terminalCodes = [][2]string{
	{"E-NOT-READY", "a device that the item needs stopped working after the item was begun"},
	{"E-READER", "the card reader failed"},
	{"E-CARD-READ", "the card could not be read in three tries"},
	{"E-CARD-KIND", "the card is of a kind that this item does not take"},
	{"E-CARD-DATA", "the card contradicts itself (check digit, birth date, sex)"},
	{"E-CARD-EXPIRED", "the card is past its last day"},
	{"E-CARD-DRAW", "no blank came out of the dispenser, or nobody knows whether one did"},
	{"E-CARD-NUMBER", "the blank has a number that was there before"},
	{"E-NO-PERMIT", "the platform permits no card on this blank"},
	{"E-PERMIT", "the platform could not be asked for a permit in time"},
	{"E-CARD-FACE", "the card cannot be drawn (a character or a picture); nothing was printed"},
	{"E-CARD-NOT-SENT", "the card printer took nothing: the card is owed"},
	{"E-CARD-BLANKS", "two blanks were spoiled one after the other: the card is owed"},
	{"E-CARD-UNKNOWN", "nobody knows whether the card was printed: two people look, nothing is printed again"},
	{"E-CARD-PLACE", "the printed card is not where it must be"},
	{"E-CARD-CODE", "the code of the printed card is not its permit's, or could not be read in three tries; the card is kept inside, in doubt"},
	{"E-CARD-PRESENT", "the card does not come out, or nobody knows whether it did"},
	{"E-CARD-MOUTH", "a card lies in the dispenser's mouth and was not drawn back (its bin is full, or it refuses); nobody is served until it is gone"},
	{"E-CARD-BACK", "nobody knows whether a card that was not taken went back in"},
	{"E-CARD-LEFT", "an identity card was left on the reader; the terminal waits until it is taken"},
	{"E-PAUSED", "the terminal is closed by an order of its platform until it is resumed"},
	{"E-CODE-MANY", "too many codes were asked for"},
	{"E-STAFF", "a member of staff did not confirm the person, or nobody came in time"},
	{"E-NO-WAY", "none of the item's ways of proving who it is can be begun now"},
	{"E-FINGER", "the finger could not be compared (sensor), or not recognised"},
	{"E-NO-QUEUE", "no window of this hall calls numbers now"},
	{"E-NO-TICKET", "no number could be given; the page names the window"},
	{"E-DOOR", "the cabinet is open; service resumes when it is closed"},
	{"E-POWER", "the battery of the UPS is nearly empty; service resumes with the mains"},
	{"E-MAINTENANCE", "a technician has taken the terminal out of service"},
	{"E-CAMERA", "the camera cannot be used"},
	{"E-PHOTO", "no photo was good enough in the tries that there are"},
	{"E-NOT-APPLIED", "nobody knows yet whether the platform has the application"},
	{"E-CARD-REJECTED", "the official rejected the application"},
	{"E-CARD-ISSUED", "the person has a card of an application before, which is still good"},
	{"E-CARD-DOUBT", "nobody knows whether the application's card was made: people look"},
	{"E-CARD-DESK", "the application is with people at the desk"},
	{"E-CARD-OTHER", "the application belongs to another item"},
	{"E-CARD-OVER", "the application has ended"},
	{"E-NO-BILL", "the platform made no bill; nothing was charged"},
	{"E-NO-STOCK", "no blank card is free"},
	{"E-NO-RIBBON", "the card printer's ribbon is at its end by the ledger; the card is owed"},
	{"E-CARD-PRINTER-*", "the card printer stopped for the reason named"},
	{"E-PAY-EXPIRED", "the payment code's time was over before it was paid"},
	{"E-PAY-FAILED", "the bill ended without a payment"},
	{"E-PAY-UNKNOWN", "nobody knows yet whether the bill was paid: it is not charged again by itself"},
	{"E-LINK", "the platform cannot be reached"},
	{"E-GARBLED", "the platform's answer could not be understood"},
	{"E-FORGED", "a document's signature or hash did not verify; nothing was printed"},
	{"E-REFUSED", "the platform refused"},
	{"E-PLATFORM", "the platform failed"},
	{"E-NOT-ISSUED", "the document was not issued in time"},
	{"E-FULL", "the terminal's journal is full; new business waits until the platform took what waits"},
	{"E-KIOSK", "the terminal's own program failed; the case is saved"},
	{"E-OUTPUT", "printed paper was not taken"},
	{"E-RECEIPT", "the slip could not be printed; the code is on the screen"},
	{"E-PRINTER-*", "the printer stopped for the reason named (paper-out, jammed, cover-open, …)"},
	{"E-PRINT-NOT-SENT", "nothing reached the printer"},
	{"E-PRINT-FAILED", "the printer says that the document is not on paper"},
	{"E-PRINT-UNKNOWN", "nobody can say whether the document is on paper: look into the tray before anything else"},
}

// errorCodes is docs/error-codes.md.
func errorCodes() []byte {
	var b bytes.Buffer
	b.WriteString("# Error codes\n\nGenerated from the registry in `platform/errors.go` and `platform/errordoc.go`; a test fails when it is stale.\n\n")
	b.WriteString("## What the platform answers\n\n| code | HTTP | meaning | what the terminal does |\n| --- | --- | --- | --- |\n")
	for _, e := range Registry {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", e.Code, e.Status, e.Meaning, e.Then)
	}
	b.WriteString("\n## What a terminal shows for the desk\n\n| code | meaning |\n| --- | --- |\n")
	for _, e := range terminalCodes {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e[0], e[1])
	}
	return b.Bytes()
}
