// The progress view: which stages of the work in hand are done, which runs, which will happen by itself.

package service

// stages are what Progress shows, by key.
type stages struct {
	title Text
	keys  []string
	list  []Stage
}

// beginStages lists what is ahead from the running step on.
func (j *Journey) beginStages(title Text) {
	j.stages = stages{title: title}
	add := func(key string) {
		j.stages.keys = append(j.stages.keys, key)
		j.stages.list = append(j.stages.list, Stage{Label: T("svc.stage." + key), State: StageWaiting, Percent: -1})
	}
	for _, n := range j.item.Steps[j.step:] {
		switch n.Kind {
		case "print":
			add("issue")
			add("print")
		case "apply":
			add("apply")
		case "card":
			if j.item.Steps[j.step].Kind == "card" {
				add("blank")
				add("permit")
				add("card")
				if j.e.cfg.CardCheck {
					add("check")
				}
			}
		case "submit":
			add("save")
		case "receipt":
			add("receipt")
		}
	}
	add("report")
	last := &j.stages.list[len(j.stages.list)-1]
	last.State, last.Detail = StageLater, T("svc.stage.report.soon")
	if j.e.cfg.Platform.Link() != LinkUp {
		last.Detail = T("svc.stage.report.later")
	}
}

// stage changes one stage.
func (j *Journey) stage(key string, to StageState, detail Text) {
	for i, k := range j.stages.keys {
		if k == key {
			j.stages.list[i].State, j.stages.list[i].Detail, j.stages.list[i].Percent = to, detail, -1
		}
	}
}

// percent changes how far a running stage is.
func (j *Journey) percent(key string, done, of int) {
	for i, k := range j.stages.keys {
		if k == key && of > 0 {
			j.stages.list[i].Percent = min(100, 100*done/of)
		}
	}
}

// show tells the citizen where the work is. Without a hint it asks for patience.
func (j *Journey) show(hint Text) {
	if hint.IsZero() {
		hint = T("svc.progress.hint")
	}
	p := j.page()
	p.Back, p.Exit = false, false
	rows := make([]Row, 0, 4)
	for _, r := range j.personRows() {
		rows = append(rows, Row{Label: r.Label, Plain: r.Masked})
	}
	if j.opened {
		rows = append(rows, Row{Label: T("svc.row.receipt"), Plain: j.kase.ReceiptCode})
	}
	if j.print.number != "" {
		rows = append(rows, j.numberRow())
	}
	j.c.Tell(Progress{
		Page: p, Title: j.stages.title, Hint: hint, Stages: append([]Stage(nil), j.stages.list...),
		Note: T("svc.progress.note"), Rows: rows,
	})
}
