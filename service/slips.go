// What stands on slips: masked names, no number of a person, a code to come back with.

package service

import (
	"time"

	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/slip"
)

// slipHead begins every slip: whose terminal, which place, which paper.
func (j *Journey) slipHead(title string) []slip.Block {
	site := j.e.cfg.Site
	header := j.say(T("svc.slip.header"))
	if len(site.Header) > 0 {
		header = j.say(site.Header.Text())
	}
	blocks := []slip.Block{slip.Text{Text: header, Align: slip.Center, Bold: true, Size: 2}}
	if len(site.Name) > 0 {
		blocks = append(blocks, slip.Text{
			Text: j.say(T("svc.slip.site", "site", j.say(site.Name.Text()), "no", site.Terminal)), Align: slip.Center,
		})
	}
	return append(blocks, slip.Rule{}, slip.Text{Text: title, Align: slip.Center, Bold: true}, slip.Space{Dots: 12})
}

// slipFoot ends every slip: whom to call.
func (j *Journey) slipFoot() []slip.Block {
	phone := or(j.e.cfg.Platform.Catalogue().Phone, "12345")
	return []slip.Block{
		slip.Rule{Dashed: true},
		slip.Text{Text: j.say(T("svc.slip.phone", "phone", phone)), Align: slip.Center},
		slip.Space{Dots: 24},
	}
}

// slipRows are labels on the left and values on the right.
func (j *Journey) slipRows(rows []Row) slip.Block {
	t := slip.Table{Columns: []slip.Column{{Share: 2}, {Share: 3, Align: slip.Right}}}
	for _, r := range rows {
		value := r.Plain
		switch {
		case r.Private:
			value = r.Masked
		case value == "":
			value = j.say(r.Value)
		}
		t.Rows = append(t.Rows, []string{j.say(r.Label), value})
	}
	return t
}

// caseRows say which case a slip is of. The number of a person is not among them.
func (j *Journey) caseRows() []Row {
	rows := []Row{
		{Label: T("svc.row.receipt"), Plain: j.kase.ReceiptCode},
		{Label: T("svc.row.item"), Value: j.item.Name.Text()},
	}
	if name, _, _ := j.v.masked(); name != "" {
		rows = append(rows, Row{Label: T("svc.row.name"), Plain: name})
	}
	rows = append(rows, Row{Label: T("svc.row.time"), Plain: stamp(j.e.now())})
	if j.print.number != "" {
		rows = append(rows, j.numberRow())
	}
	if b := j.print.bill; b.Number != "" {
		rows = append(rows, Row{Label: T("svc.row.paid"), Plain: "¥ " + yuan(b.Amount)}, Row{Label: T("svc.row.bill"), Plain: b.Number})
		if j.print.back > 0 {
			rows = append(rows, Row{Label: T("svc.row.back"), Value: T("svc.pay.back", "amount", yuan(j.print.back))})
		}
	}
	return rows
}

// numberRow is the number of what was made, or applied for.
func (j *Journey) numberRow() Row {
	label := j.print.label
	if label.IsZero() {
		label = T("svc.row.certificate")
	}
	return Row{Label: label, Plain: j.print.number}
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04") }

func (j *Journey) code() slip.Block {
	return slip.QR{Data: j.kase.ReceiptCode, Level: 'M', Module: 6, Caption: j.kase.ReceiptCode}
}

// receiptSlip is a case's receipt.
func (j *Journey) receiptSlip() slip.Slip {
	b := j.slipHead(j.say(T("svc.slip.receipt.title")))
	rows := j.caseRows()
	if !j.print.until.IsZero() {
		rows = append(rows, Row{Label: T("svc.row.until"), Plain: cardface.Day(j.print.until)})
	}
	b = append(b, j.slipRows(rows), slip.Space{Dots: 12}, j.code())
	b = append(b, j.ebillBlocks()...)
	if j.print.verify != "" {
		b = append(b, slip.Text{Text: j.say(T("svc.slip.receipt.verify"))})
	} else {
		b = append(b, slip.Text{Text: j.say(T("svc.slip.receipt.keep"))})
	}
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}

// ebillBlocks say what there is of the e-bill: how to have it checked, or that it comes later, and how to get it then.
func (j *Journey) ebillBlocks() []slip.Block {
	e := j.print.ebill
	if e == nil {
		return nil
	}
	b := []slip.Block{slip.Rule{Dashed: true}, slip.Text{Text: j.say(T("svc.row.ebill")), Align: slip.Center, Bold: true}}
	switch e.State {
	case EBillIssued:
		b = append(b, j.slipRows([]Row{{Label: T("svc.row.ebill-code"), Plain: e.Code}, {Label: T("svc.row.ebill-number"), Plain: e.Number},
			{Label: T("svc.row.ebill-check"), Plain: e.Check}}))
		if e.QR != "" {
			b = append(b, slip.QR{Data: e.QR, Level: 'M', Module: 6, Caption: j.say(T("svc.slip.ebill.scan"))})
		}
		if e.Site != "" {
			b = append(b, slip.Text{Text: j.say(T("svc.slip.ebill.site", "site", e.Site))})
		}
	case EBillDesk:
		b = append(b, slip.Text{Text: j.say(T("svc.slip.ebill.desk"))})
	default:
		b = append(b, slip.Text{Text: j.say(T("svc.slip.ebill.coming"))})
	}
	return append(b, slip.Rule{Dashed: true})
}

// ebillRow is the same in one line of the screen.
func (j *Journey) ebillRow() (r Row, there bool) {
	e := j.print.ebill
	if e == nil {
		return r, false
	}
	r.Label = T("svc.row.ebill")
	switch e.State {
	case EBillIssued:
		r.Plain = e.Number
	case EBillDesk:
		r.Value = T("svc.value.ebill.desk")
	default:
		r.Value = T("svc.value.ebill.coming")
	}
	return r, true
}

// troubleSlip is what a citizen leaves with when a case did not end well.
func (j *Journey) troubleSlip(r *Referral) slip.Slip {
	b := j.slipHead(j.say(T("svc.slip.trouble.title")))
	rows := append(j.caseRows(), Row{Label: T("svc.row.code"), Plain: r.Code})
	b = append(b,
		j.slipRows(rows), slip.Space{Dots: 12},
		slip.Text{Text: j.say(r.What), Bold: true}, slip.Text{Text: j.say(r.Means)}, slip.Text{Text: j.say(r.Do)},
		slip.Space{Dots: 12}, j.code(),
	)
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}

// resultSlip is what a query found, masked.
func (j *Journey) resultSlip() slip.Slip {
	b := j.slipHead(j.say(j.found.Title))
	b = append(b, j.slipRows(j.caseRows()))
	for _, sec := range j.found.Sections {
		b = append(b, slip.Space{Dots: 12})
		if !sec.Title.IsZero() {
			b = append(b, slip.Text{Text: j.say(sec.Title), Bold: true})
		}
		b = append(b, j.slipRows(sec.Rows))
		if sec.QR != "" {
			b = append(b, slip.QR{Data: sec.QR, Level: 'M', Module: 6})
		}
	}
	b = append(b, slip.Space{Dots: 12})
	if !j.found.AsOf.IsZero() {
		b = append(b, slip.Text{Text: j.say(T("svc.slip.result.as-of", "time", stamp(j.found.AsOf.In(j.e.now().Location()))))})
	}
	note := j.found.Note
	if note.IsZero() {
		note = T("svc.slip.result.note")
	}
	b = append(b, slip.Text{Text: j.say(note)})
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}

// guideSlip is one entry of the guide to take along.
func (j *Journey) guideSlip(g Guide) slip.Slip {
	b := j.slipHead(j.say(g.Title))
	for _, sec := range g.Sections {
		b = append(b, slip.Text{Text: j.say(sec.Title), Bold: true})
		for _, l := range sec.Lines {
			b = append(b, slip.Text{Text: j.say(T("svc.slip.guide.line", "line", j.say(l)))})
		}
		b = append(b, slip.Space{Dots: 12})
	}
	b = append(b, slip.Text{Text: j.say(T("svc.slip.guide.date", "date", j.e.now().Format("2006-01-02")))})
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}
