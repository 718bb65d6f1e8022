package sim

// What can be wrong with a document printer: its mechanism, its counting, its network side.

var documentFaults = []FaultInfo{
	{Name: "media-empty", About: "no paper in the tray"},
	{Name: "paper-out-mid-job", Value: "sheets that are left", Default: 0, max: 10000, About: "the tray runs empty while it prints; clear fills it"},
	{Name: "cover-open", About: "a cover is open"},
	{Name: "media-jam", About: "paper is stuck"},
	{Name: "jam-mid-job", Value: "sheets before it", Default: 0, max: 10000, About: "paper sticks while it prints"},
	{Name: "toner-low", About: "toner is low; printing goes on"},
	{Name: "toner-empty", About: "no toner"},
	{Name: "output-full", About: "the output tray is full"},
	{Name: "paused", About: "somebody paused the printer at its panel"},
	{Name: "not-accepting", About: "it accepts no jobs"},
	{Name: "abort", Value: times, Default: 1, max: 1000, About: "the next document is refused as broken while it is printed"},
	{Name: "wrong-impressions", Value: "impressions it claims to be short", Default: 1, max: 10000, About: "it counts fewer impressions than it makes"},
	{Name: "unplug", About: "off; clear switches it on"},
	{Name: "vanish-after-create", Value: times, Default: 1, max: 1000, About: "it goes off right after it created a job, before it answers; clear switches it on"},
	{Name: "vanish-mid-send", Value: times, Default: 1, max: 1000, About: "it goes off when the document has arrived, before it answers; clear switches it on"},
	{Name: "forget-jobs", About: "it forgets its jobs at every power cycle"},
	{Name: "power-cycle", About: "off and on again: what was printing is aborted"},
	{Name: "http-500", Value: times, Default: 0, max: 1000, About: "every request ends with HTTP 500"},
	{Name: "html", Value: times, Default: 0, max: 1000, About: "every request ends with a web page"},
	{Name: "half-body", Value: times, Default: 0, max: 1000, About: "answers break off in the middle"},
	{Name: "huge-body", Value: times, Default: 0, max: 1000, About: "answers are 64 MiB"},
	{Name: "slow", Value: "ms", Default: 3000, max: 600000, About: "every answer comes late"},
	{Name: "silent", About: "it takes requests and never answers"},
}

// Fault breaks the printer; value "" takes the fault's default. See [Faults].
func (p *DocumentPrinter) Fault(name, value string) error {
	n, err := p.faults.parse(name, value)
	if err != nil {
		return err
	}
	switch name {
	case "power-cycle":
		p.off()
		p.lose()
		return p.on()
	case "unplug":
		p.off()
		p.lose()
	}
	p.change(func() {
		p.faults.set(name, n)
		p.sheets = 0
	})
	return nil
}

// Clear mends one fault, or everything for "".
func (p *DocumentPrinter) Clear(name string) error {
	if name != "" {
		if _, err := p.faults.parse(name, ""); err != nil {
			return err
		}
	}
	p.change(func() {
		p.faults.clear(name)
		p.sheets = 0
	})
	switch name {
	case "", "unplug", "vanish-after-create", "vanish-mid-send":
		return p.on()
	}
	return nil
}

// lose is what a printer forgets with its supply: the job it printed, or all with the fault forget-jobs.
func (p *DocumentPrinter) lose() {
	forget := p.faults.has("forget-jobs")
	p.change(func() {
		p.cycles++
		if p.works != nil && p.works.fed { // the blank inside comes out half printed
			p.works.fed = false
			p.works.spoiled++
		}
		for _, j := range p.jobs {
			if j.state == jobProcessing || j.state == jobStopped {
				p.endLocked(j, jobAborted, "aborted-by-system", "printer-stopped")
			}
		}
		if forget {
			p.jobs = nil
		}
	})
}

// endLocked ends a job.
func (p *DocumentPrinter) endLocked(j *job, state int, reasons ...string) {
	j.state, j.reasons, j.ended = state, reasons, p.opt.Now()
}

// hindrances are the printer-state-reasons that stop it now.
func (p *DocumentPrinter) hindrancesLocked() []string {
	if p.works != nil {
		return p.hindrancesOfCardsLocked()
	}
	var all []string
	add := func(on bool, reason string) {
		if on {
			all = append(all, reason)
		}
	}
	out, limited := p.faults.value("paper-out-mid-job")
	jam, jams := p.faults.value("jam-mid-job")
	add(p.faults.has("media-jam") || jams && p.sheets >= jam && p.busyLocked(), "media-jam-error")
	empty := p.faults.has("media-empty") || limited && p.sheets >= out && p.busyLocked()
	add(empty, "media-empty-error")
	add(empty, "media-needed-error")
	add(p.faults.has("cover-open"), "cover-open-error")
	add(p.faults.has("toner-empty"), "toner-empty-error")
	add(p.faults.has("output-full"), "output-area-full-error")
	add(p.faults.has("paused"), "paused")
	return all
}

// busyLocked reports whether a job is on the engine and not all of it is out: what happens in the middle of a job does not happen
// before it, or after.
func (p *DocumentPrinter) busyLocked() bool {
	for _, j := range p.jobs {
		if (j.state == jobProcessing || j.state == jobStopped) && (j.pages == 0 || j.impressions < j.pages) {
			return true
		}
	}
	return false
}

func (p *DocumentPrinter) stoppedLocked() bool { return len(p.hindrancesLocked()) > 0 }
