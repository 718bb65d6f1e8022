package sim

// The people of the sample cards. None of them exists.

import "fmt"

// A Person is one of the synthetic residents, for the cards here and for whoever lists the same people elsewhere.
type Person struct {
	Name   string
	Number string // GB 11643, district 990000 (張三: the standard's own example)
	Sex    byte   // GB/T 2261.1: '1' male, '2' female
	Nation string // GB/T 3304, two digits
	Birth  string // YYYYMMDD
}

// People are the residents of [SampleCards], in order. 赵䶮 and 𠮷田美 have names that older systems lose.
func People() []Person {
	return []Person{
		{"王建国", "990000198503120115", '1', "01", "19850312"},
		{"李晓雯", "990000199211050228", '2', "03", "19921105"},
		{"赵䶮", "990000197807210334", '1', "01", "19780721"},
		{"𠮷田美", "990000200101300447", '2', "11", "20010130"},
		{"陈桂芳", "990000195109090663", '2', "01", "19510909"},
		{"张三", "11010519491231002X", '2', "01", "19491231"},
	}
}

// SampleCards are a card for each of [People], then a residence permit of 港澳台 and the two kinds of foreigner's card.
func SampleCards() []Card {
	var all []Card
	for i, p := range People() {
		c := Card{Kind: Resident, Name: p.Name, Sex: p.Sex, Nation: p.Nation, Birth: p.Birth, Number: p.Number,
			Address: fmt.Sprintf("示例省示例市示例区示例路%d号", i+1), Issuer: "示例市公安局示例分局", From: "20200101", To: "20400101"}
		switch p.Name {
		case "张三":
			c.Address, c.To = "示例省示例市示例区示例路1号", LongTerm
		case "陈桂芳":
			c.To = LongTerm
			c.Added = []string{"示例省示例市示例区新村8幢101室"}
		case "赵䶮":
			c.Fingerprint = 1024
		case "𠮷田美":
			c.From, c.To = "20210130", "20310130"
		}
		all = append(all, c)
	}
	return append(all,
		Card{Kind: HMT, Name: "何示例", Sex: '1', Birth: "19880808", Address: "示例省示例市示例区示例路9号",
			Number: "990000198808080775", Issuer: "示例市公安局", From: "20220808", To: "20320808", Permit: "H00000000", Count: "01"},
		Card{Kind: ForeignPR2017, NameEN: "SAMPLE, ASEL", Name: "阿赛", Sex: '2', Number: "KAZ110090123105", Nationality: "KAZ",
			From: "20180501", To: "20380501", Birth: "19900123", Version: "01", Authority: "9900"},
		Card{Kind: ForeignPR2023, Name: "安娜", NameEN: "MUSTERMANN, ANNA MARIA VERONIKA ELISABETH", Sex: '2', Count: "00",
			Birth: "19900214", Number: "999276199002140223", From: "20240601", To: "20340601", Nationality: "DEU"},
	)
}
