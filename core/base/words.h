/*
 * words: a line taken apart into its words, in place. It keeps no state of its own, and what stands
 * between words is the caller's to say.
 */
#ifndef CORE_BASE_WORDS_H
#define CORE_BASE_WORDS_H

/*
 * The first word of *rest, terminated there; *rest goes on behind it. Before it, and once behind
 * it, stand any of `blanks`. NULL when nothing is left but those, and from then on.
 */
char *words_next(char **rest, const char *blanks);

#endif
