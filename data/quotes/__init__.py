"""Which passages of a text stand word for word in a corpus, and where.

stored_text   the text of a corpus as one file to look into, and which place of it is which line of which file
suffix_order  all places of that file in the order of the text that follows them (heavy: it imports torch)
build         both of them for a corpus, in the cache (heavy)
index         both of them again, read and never trusted
matches       the longest passage from each place of a text, found by binary search in that order
quotes        what a person is told: the longest passage, where it stands, and how much of the text is quoted

Light but for the two that build. Everything is exact, and by Unicode code points.

Why all places, sorted: the three shares need every passage from 10 characters on. A sample of the places (each fourth,
or minimizers) finds those too, but " of the and" may stand a hundred thousand times in a gigabyte, and each of them
would have to be compared in both directions; in sorted order the longest continuation is where the text itself would
stand. A suffix array sorts by whatever follows, and in memory; here 32 bytes are sorted by, on disk, and 32 more, up to
256, where several hundred places agree. What agrees in more is compared one by one, as long as something longer can
come of it: many only where a text repeats itself for pages.
"""
