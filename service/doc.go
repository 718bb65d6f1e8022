// Package service runs government service items (事项) for citizens.
//
// # Items are data
//
// An item is one YAML file under assets/items: its names, its zone on the home screen, the identity it asks for, its hours
// and its steps with their settings. [Load] reads them strictly: what it does not know it refuses, naming file and line.
// There are no expressions in an item; what varies is a step that can say so. Adding a service is adding a file.
//
//	code: SB-P
//	level: L3
//	steps:
//	  - consent: {title: {zh: …, en: …}, lines: […]}
//	  - identify: {}
//	  - verify: {}
//	  - form: {title: …, fields: […]}
//	  - review: {title: …}
//	  - print: {kind: SB-P, title: …}
//	  - deliver: {}
//	  - rate: {title: …}
//
// # Steps are code
//
// A [Step] has two methods. Ready says, before anything moves, what would keep it from succeeding: a device, the link, the
// platform's back end, the hour, the journal. An item whose steps are not all ready is shown with its reason and cannot be
// started. Run does the step by asking the [Citizen], the devices and the [Platform].
//
// # Visits, cases, effects
//
// A visit is one citizen's presence. It lives in memory and is wiped when it ends; a citizen identifies once per visit.
// Up to the commit point Back works, and nothing personal is on disk. At the commit point the answers become a case in the
// journal, and from there on every act on the world is an effect: its intent is on disk before it, its outcome after it.
// [Engine.Recover] settles after a restart what was intended and has no outcome, by asking the devices and never by acting.
//
// # How to use it
//
//	items, err := service.Load(fs)               // assets/items
//	engine, err := service.New(service.Config{…})
//	report, err := engine.Recover(ctx)           // once, before the first citizen
//	err = engine.Serve(ctx, citizen)             // until ctx ends
//
// The screen is one Citizen; package service/script is another, and the same journeys run through both.
package service
