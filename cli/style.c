#include "cli/style.h"

#include "base/check.h"
#include "base/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES_MAX (256u << 20) /* a page without a sink holds the largest answer */
#define PAGE_FLUSH_BYTES (64u << 10)
#define WIDTH_MIN 20
#define WIDTH_MAX 1000

/* ---- what the system says --------------------------------------------------------------------------------
 */

static int zone_system(int64_t ms)
{
    struct tm tm;
    time_t t = (time_t)(ms / 1000);
    return localtime_r(&t, &tm) != NULL ? (int)(tm.tm_gmtoff / 60) : 0;
}

static size_t terminal_width(bool terminal)
{
    struct winsize ws;
    const char *columns = getenv("COLUMNS");
    long v = columns != NULL ? strtol(columns, NULL, 10) : 0;
    if (terminal && v == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0) {
        v = ws.ws_col;
    }
    if (v >= WIDTH_MIN && v <= WIDTH_MAX) {
        return (size_t)v;
    }
    return terminal ? 80 : WIDTH_NONE;
}

void style_system(struct style *s, enum color_when when)
{
    bool terminal = isatty(STDOUT_FILENO) == 1;
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    struct timespec ts;
    (void)setlocale(LC_CTYPE, "");
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    bool wanted = terminal && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
                  strcmp(term, "dumb") != 0 && term[0] != '\0';
    *s = (struct style){
        .color = when == COLOR_ALWAYS || (when == COLOR_AUTO && wanted),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .width = terminal_width(terminal),
        .now_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000,
        .offset_min = zone_system,
    };
}

/* ---- the page --------------------------------------------------------------------------------------------
 */

void page_init(struct page *p, const struct style *st, FILE *sink)
{
    buf_init(&p->b, PAGE_BYTES_MAX);
    p->sink = sink;
    p->st = st;
}

static void page_pass(struct page *p)
{
    CHECK(p->b.err == 0);
    if (p->sink != NULL && p->b.n > 0) {
        (void)fwrite(p->b.p, 1, p->b.n, p->sink); /* main looks at ferror() at the end */
        buf_clear(&p->b);
    }
}

void page_release(struct page *p)
{
    page_pass(p);
    buf_release(&p->b);
}

void page_str(struct page *p, const char *text)
{
    (void)buf_str(&p->b, text);
}

void page_printf(struct page *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    page_str(p, text);
}

/* `text` escaped, with what the terminal cannot show replaced; the caller releases out. */
static struct bytes escaped(const char *text, bool utf8, struct buf *out)
{
    struct buf raw;
    buf_init(&raw, PAGE_BYTES_MAX);
    buf_init(out, PAGE_BYTES_MAX);
    (void)text_escape(bytes_str(text), true, &raw);
    struct bytes v = buf_view(&raw);
    size_t at = 0;
    while (!utf8 && at < v.n) {
        int32_t cp = utf8_next(v, &at);
        (void)buf_put(out, cp >= 0x20 && cp < 0x7f ? (uint8_t)cp : (uint8_t)'?');
    }
    if (utf8) {
        (void)buf_bytes(out, v);
    }
    CHECK(raw.err == 0 && out->err == 0);
    buf_release(&raw);
    return buf_view(out);
}

void page_safe(struct page *p, const char *text)
{
    struct buf b;
    (void)buf_bytes(&p->b, escaped(text, p->st->utf8, &b));
    buf_release(&b);
}

static const char *const paints[] = {
    [PAINT_NONE] = "",          [PAINT_ID] = "\033[1;35m", [PAINT_STRONG] = "\033[1m",
    [PAINT_DIM] = "\033[2m",    [PAINT_GOOD] = "\033[32m", [PAINT_WARN] = "\033[33m",
    [PAINT_BAD] = "\033[1;31m", [PAINT_USER] = "\033[36m",
};

void page_on(struct page *p, enum paint paint)
{
    if (p->st->color) {
        page_str(p, paints[paint]);
    }
}

void page_off(struct page *p, enum paint paint)
{
    if (p->st->color && paint != PAINT_NONE) {
        page_str(p, "\033[0m");
    }
}

void page_paint(struct page *p, enum paint paint, const char *text)
{
    page_on(p, paint);
    page_safe(p, text);
    page_off(p, paint);
}

void page_blanks(struct page *p, size_t n)
{
    while (n-- > 0) {
        (void)buf_put(&p->b, ' ');
    }
}

void page_glyph(struct page *p, const char *utf8, const char *ascii)
{
    page_str(p, p->st->utf8 ? utf8 : ascii);
}

/* The longest head of v that is at most `columns` wide. */
static struct bytes head_of(struct bytes v, size_t columns)
{
    size_t at = 0;
    size_t good = 0;
    while (at < v.n) {
        (void)utf8_next(v, &at);
        if (utf8_columns(bytes_slice(v, 0, at)) > columns) {
            break;
        }
        good = at;
    }
    return bytes_slice(v, 0, good);
}

void page_cell(struct page *p, enum paint paint, const char *text, size_t columns, bool cut)
{
    struct buf b;
    struct bytes v = escaped(text, p->st->utf8, &b);
    size_t n = utf8_columns(v);
    bool shortened = cut && n > columns && columns > 0;
    if (shortened) {
        v = head_of(v, columns - 1);
    }
    page_on(p, paint);
    (void)buf_bytes(&p->b, v);
    if (shortened) {
        page_glyph(p, "…", "~");
        n = utf8_columns(v) + 1;
    }
    page_off(p, paint);
    buf_release(&b);
    page_blanks(p, n < columns ? columns - n : 0);
}

void page_line(struct page *p)
{
    while (p->b.n > 0 && p->b.p[p->b.n - 1] == ' ') {
        p->b.n--;
    }
    (void)buf_put(&p->b, '\n');
    if (p->b.n >= PAGE_FLUSH_BYTES) {
        page_pass(p);
    }
}

/* ---- wrapping --------------------------------------------------------------------------------------------
 */

size_t safe_columns(const char *text)
{
    struct buf b;
    size_t n = utf8_columns(escaped(text, true, &b));
    buf_release(&b);
    return n;
}

struct bytes wrap_next(struct bytes *rest, size_t columns)
{
    struct bytes all = *rest;
    struct bytes line = head_of(all, columns);
    if (line.n == 0 && all.n > 0) { /* narrower than one character */
        size_t at = 0;
        (void)utf8_next(all, &at);
        line = bytes_slice(all, 0, at);
    }
    size_t next = line.n;
    if (next < all.n && all.p[next] != ' ') {
        for (size_t i = line.n; i > 0; i--) {
            if (line.p[i - 1] == ' ') {
                line.n = i - 1;
                next = i;
                break;
            }
        }
    }
    while (next < all.n && all.p[next] == ' ') {
        next++;
    }
    *rest = bytes_slice(all, next, SIZE_MAX);
    return line;
}

void page_wrapped(struct page *p, const char *text, size_t columns, const char *indent)
{
    struct buf b;
    struct bytes rest = escaped(text, p->st->utf8, &b);
    bool first = true;
    if (columns == WIDTH_NONE) {
        (void)buf_bytes(&p->b, rest);
        rest = BYTES_NONE;
    }
    while (rest.n > 0) {
        if (!first) {
            page_line(p);
            page_str(p, indent);
        }
        (void)buf_bytes(&p->b, wrap_next(&rest, columns));
        first = false;
    }
    buf_release(&b);
}

/* ---- times and numbers -----------------------------------------------------------------------------------
 */

void time_local(const struct style *st, int64_t ms, char out[TIME_TEXT])
{
    struct civil c;
    if (ms == TIME_NONE) {
        (void)snprintf(out, TIME_TEXT, "never");
        return;
    }
    civil_from_ms(ms, st->offset_min(ms), &c);
    (void)snprintf(out, TIME_TEXT, "%04d-%02d-%02d %02d:%02d", c.year, c.month, c.day, c.hour, c.minute);
}

void time_relative(const struct style *st, int64_t ms, char out[TIME_TEXT])
{
    char age[24];
    if (ms == TIME_NONE) {
        (void)snprintf(out, TIME_TEXT, "never");
        return;
    }
    int64_t ahead = ms - st->now_ms;
    if (ahead >= MS_MINUTE) {
        age_print(ahead, age);
        (void)snprintf(out, TIME_TEXT, "in %s", age);
        return;
    }
    age_print(ahead > 0 ? 0 : -ahead, age);
    (void)snprintf(out, TIME_TEXT, "%s%s", age, -ahead < MS_MINUTE ? "" : " ago");
}

void number_print(double v, char out[TIME_TEXT])
{
    char digits[32];
    int n = snprintf(digits, sizeof(digits), "%.0f", v);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-') {
            out[at++] = ' ';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

void size_print(double bytes, char out[TIME_TEXT])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    (void)snprintf(out, TIME_TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}
