// The step that hands a request over: written down here, carried to the platform when there is a link.

package service

import (
	"context"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// The types and lanes of records this package emits, as sync/wire names them.
const (
	laneTx      = "tx"
	typeRating  = "rating"
	typeHotline = "hotline"
	schemaOne   = 1
)

// hotlineBody is a request to the hotline on the wire.
type hotlineBody struct {
	LocalNo  string    `json:"local_no"`
	Category string    `json:"category"`
	Phone    string    `json:"phone,omitempty"`
	Ink      string    `json:"ink,omitempty"`
	At       time.Time `json:"at"`
}

// submitStep registers a request with the hotline (诉求登记). It needs no link: the number given is the terminal's own.
type submitStep struct {
	Settings `yaml:",inline"`
	Title    Words  `yaml:"title"`    // of the progress view
	Category string `yaml:"category"` // id of the answer that holds it
	Phone    string `yaml:"phone"`
}

func (s *submitStep) check() error {
	if s.Category == "" {
		return fmt.Errorf("no category, expected the id of a choose step")
	}
	return s.Title.check("title", true)
}

// Ready: the journal must take it, which the engine asks for every step that commits.
func (s *submitStep) Ready(Scene) Text { return Text{} }

// Run is the commit point: case, picture and record in one transaction.
func (s *submitStep) Run(ctx context.Context, j *Journey) error {
	if err := j.clearMouth(ctx); err != nil {
		return err
	}
	j.beginStages(s.Title.Text())
	j.stage("save", StageRunning, Text{})
	j.show(Text{})
	jr := j.e.cfg.Journal
	body := hotlineBody{Category: j.answers[s.Category], Phone: j.answers[s.Phone], At: j.e.now().UTC()}
	ink, err := jr.PutBlob(j.ink)
	if err != nil {
		return fmt.Errorf("keep handwriting: %w", err)
	}
	body.Ink = ink.String()
	err = j.open(journal.Accepted, "local number", func(tx *journal.Tx, c journal.Case) error {
		if err := tx.KeepBlob(c.ID, "ink", ink); err != nil {
			return err
		}
		if err := tx.UploadBlob(c.ID, ink); err != nil {
			return err
		}
		body.LocalNo = c.ReceiptCode
		_, err := tx.Emit(laneTx, c.ID, typeHotline, schemaOne, body)
		return err
	})
	if err != nil {
		return err
	}
	j.stage("save", StageDone, T("svc.stage.local-no", "no", j.kase.ReceiptCode))
	j.show(Text{})
	return nil
}
