package idcard

// Characters that stood in the private use area before Unicode had a place for them.

import "strings"

// places maps the private code points of GB 18030-2000 and -2005 to those the characters have: the vertical forms and eight
// ideographs that GB 18030-2022 moved, and the six of extension B. A card written years ago holds the old ones, which no font
// draws and no registry finds. The byte pair in GB 18030 stands beside each.
var places = strings.NewReplacer(
	"\ue78d", "\ufe10", "\ue78e", "\ufe12", "\ue78f", "\ufe11", "\ue790", "\ufe13", "\ue791", "\ufe14", // A6D9–A6DD
	"\ue792", "\ufe15", "\ue793", "\ufe16", // A6DE, A6DF
	"\ue794", "\ufe17", "\ue795", "\ufe18", "\ue796", "\ufe19", // A6EC, A6ED, A6F3
	"\ue81e", "\u9fb4", "\ue826", "\u9fb5", "\ue82b", "\u9fb6", "\ue82c", "\u9fb7", // FE59, FE61, FE66, FE67
	"\ue832", "\u9fb8", "\ue843", "\u9fb9", "\ue854", "\u9fba", "\ue864", "\u9fbb", // FE6D, FE7E, FE90, FEA0
	"\ue816", "\U00020087", "\ue817", "\U00020089", "\ue818", "\U000200CC", // FE51, FE52, FE53
	"\ue831", "\U000215D7", "\ue83b", "\U0002298F", "\ue855", "\U000241FE", // FE6C, FE76, FE91
)
