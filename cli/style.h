/* How answers are drawn: colour by meaning, width, characters, local time; and the page that text is written
 * to. Everything that came from outside goes through page_safe() or page_cell(), never through page_str(). */
#ifndef CLI_STYLE_H
#define CLI_STYLE_H

#include "base/bytes.h"
#include "base/time.h"

#include <stdio.h>

#define WIDTH_NONE 0 /* not a terminal: lines are as long as they are */

struct style {
    bool color;
    bool utf8;                     /* else plain ASCII drawing */
    size_t width;                  /* columns, or WIDTH_NONE */
    int64_t now_ms;                /* for "2 h ago" */
    int (*offset_min)(int64_t ms); /* the user's zone: minutes east of UTC at an instant */
};

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
/* The style for standard output, from terminal, locale and environment. */
void style_system(struct style *s, enum color_when when);

enum paint { PAINT_NONE, PAINT_ID, PAINT_STRONG, PAINT_DIM, PAINT_GOOD, PAINT_WARN, PAINT_BAD, PAINT_USER };

struct page {
    struct buf b;
    FILE *sink; /* full pages are written here; NULL: all stays in b */
    const struct style *st;
};

void page_init(struct page *p, const struct style *st, FILE *sink);
/* Writes what is left to the sink, frees. */
void page_release(struct page *p);
/* Our own text. */
void page_str(struct page *p, const char *text);
void page_printf(struct page *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Text from outside, escaped, on one line. */
void page_safe(struct page *p, const char *text);
/* Switches colour on, and off again. */
void page_on(struct page *p, enum paint paint);
void page_off(struct page *p, enum paint paint);
/* Text from outside in a colour. */
void page_paint(struct page *p, enum paint paint, const char *text);
/* Text from outside, filled up with blanks to `columns`; longer text is cut and marked only when `cut`. */
void page_cell(struct page *p, enum paint paint, const char *text, size_t columns, bool cut);
void page_blanks(struct page *p, size_t n);
/* One of two texts, by whether the terminal shows UTF-8. */
void page_glyph(struct page *p, const char *utf8, const char *ascii);
/* Ends a line, without blanks at its end; passes a full page on. */
void page_line(struct page *p);
/* Text from outside, wrapped to `columns` (WIDTH_NONE: not at all); lines after the first begin with `indent`
 * (our own text). */
void page_wrapped(struct page *p, const char *text, size_t columns, const char *indent);

/* Columns that a text from outside takes once it is escaped. */
size_t safe_columns(const char *text);
/* The next line of escaped text, at most `columns` wide (never empty when there is text); *rest moves on. */
struct bytes wrap_next(struct bytes *rest, size_t columns);

#define TIME_TEXT 40
/* "2026-02-11 14:02" in the user's zone; "never" for TIME_NONE. */
void time_local(const struct style *st, int64_t ms, char out[TIME_TEXT]);
/* "2 h ago", "in 3 d", "just now", "never". */
void time_relative(const struct style *st, int64_t ms, char out[TIME_TEXT]);
/* "25 310": groups of three. */
void number_print(double v, char out[TIME_TEXT]);
/* "1.2 MB". */
void size_print(double bytes, char out[TIME_TEXT]);

#endif
