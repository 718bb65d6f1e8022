package maintain

// What went wrong, in the language of the screen. English has an error's own words; another language names its kind.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// kindsOfFault are looked for in this order; the id is of the language files, fault.ID.
var kindsOfFault = []struct {
	id   string
	errs []error
}{
	{"key", []error{journal.ErrKey}},
	{"locked", []error{journal.ErrLocked}},
	{"disk-full", []error{syscall.ENOSPC}},
	{"read-only", []error{syscall.EROFS}},
	{"disk", []error{journal.ErrDisk, syscall.EIO}},
	{"damaged", []error{journal.ErrDamaged}},
	{"journal-full", []error{journal.ErrFull}},
	{"stock", []error{journal.ErrStock}},
	{"state", []error{journal.ErrState, desk.ErrNotNow, desk.ErrDecided}},
	{"clock", []error{journal.ErrClock}},
	{"card-unreadable", []error{devices.ErrCardUnreadable}},
	{"card-other", []error{devices.ErrNotIDCard}},
	{"card-rejected", []error{devices.ErrCardRejected}},
	{"code-unreadable", []error{devices.ErrCodeUnreadable, devices.ErrCodeTooLong}},
	{"finger", []error{devices.ErrFingerDry, devices.ErrFingerWet, devices.ErrFingerBlur, devices.ErrFingerSmall}},
	{"not-wired", []error{devices.ErrNotWired}},
	{"service-code", []error{ErrCode}},
	{"pin", []error{ErrPIN}},
	{"operator", []error{ErrOperator}},
	{"taken", []error{ErrTaken}},
	{"nobody", []error{ErrNobody}},
	{"badge", []error{ErrBadge}},
	{"no-medium", []error{ErrNoMedium}},
	{"busy", []error{devices.ErrBusy, syscall.EBUSY}},
	{"forbidden", []error{fs.ErrPermission}},
	{"not-there", []error{fs.ErrNotExist}},
	{"not-serial", []error{syscall.ENOTTY}},
	{"refused", []error{syscall.ECONNREFUSED}},
	{"unreachable", []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH}},
	{"silent", []error{devices.ErrSilent}},
	{"unusable", []error{devices.ErrUnusable}},
	{"protocol", []error{devices.ErrProtocol}},
	{"timeout", []error{context.DeadlineExceeded, os.ErrDeadlineExceeded}},
	{"given-up", []error{context.Canceled}},
	{"cut", []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF}},
	{"no-device", []error{devices.ErrNoDevice}},
}

// ErrNoMedium: no stick is mounted, or more than one.
var ErrNoMedium = errors.New("one removable medium must be mounted")

// Fault says what an error means. An error of no known kind is quoted as it is.
func Fault(err error) service.Text {
	if err == nil {
		return service.Text{}
	}
	var worded interface{ Text() service.Text }
	if errors.As(err, &worded) {
		return worded.Text()
	}
	words := err.Error()
	var program *exec.Error
	if errors.As(err, &program) {
		return service.T("fault.program", "words", words, "program", program.Name)
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return service.T("fault.name", "words", words, "name", name.Name)
	}
	for _, k := range kindsOfFault {
		for _, e := range k.errs {
			if errors.Is(err, e) {
				return service.T("fault."+k.id, "words", words, "path", place(err))
			}
		}
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return service.T("fault.timeout", "words", words)
	}
	return service.T("fault.other", "words", words)
}

// place is the file that an error is about, and a space; "" when it is about none.
func place(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Path + " "
	}
	return ""
}

// printFault is a print that was not confirmed.
type printFault struct{ devices.PrintResult }

func (p printFault) Error() string { return fmt.Sprintf("%s %s %s", p.Outcome, p.Why, p.Detail) }

// Text says what became of the print and why.
func (p printFault) Text() service.Text {
	why := service.T("fault.print.why")
	if p.Why != devices.UnreadyNot {
		why = service.T("tech.state." + string(p.Why))
	}
	return service.T("fault.print."+string(p.Outcome), "words", p.Error()).With("why", why)
}

// PrintFault is the error of a print that was not confirmed.
func PrintFault(res devices.PrintResult) error { return printFault{res} }

// unready is a device that says that it cannot work now.
type unready struct{ devices.Status }

func (u unready) Error() string { return string(u.Unready()) }

// Text is the device's state.
func (u unready) Text() service.Text {
	pill, _ := stateOf(u.Status)
	return pill
}

// stillDoor is a door's switch that said the same all the time while it was tried.
type stillDoor struct{ devices.Cover }

func (d stillDoor) Error() string {
	return fmt.Sprintf("the door's switch said %s all the time; open or close the door once while it is tried", d.Cover)
}

// Text says which, and what to do.
func (d stillDoor) Text() service.Text {
	return service.T("fault.door-still", "words", d.Error()).With("door", coverText(d.Cover))
}
