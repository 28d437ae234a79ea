/* One walk a format. PNG: chunks; JPEG: segments and scans; WebP: chunks of a RIFF file; GIF: blocks. Kept is
 * what a decoder needs for the pixels, in a list for each format; everything else is left out. */
#include "node/observe/picture.h"

#include "base/cursor.h"
#include "crypto/hash.h"
#include "node/observe/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct walk {
    struct rd r;
    struct picture *p;
    struct buf *left;
    struct err *e;
};

static int damaged(struct walk *w, const char *what)
{
    w->p->cut = w->r.err != 0;
    return w->r.err != 0 ? err_set(w->e, ERR_FORMAT, "the picture is cut off")
                         : err_set(w->e, ERR_FORMAT, "a damaged picture: %s", what);
}

static int size_take(struct walk *w, uint32_t width, uint32_t height)
{
    if (w->r.err != 0 || width == 0 || height == 0)
        return damaged(w, "it has no size");
    if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX ||
        (uint64_t)width * height > PICTURE_PIXELS_MAX)
        return err_set(w->e, ERR_LIMIT, "%u x %u pixels are more than are taken", width, height);
    w->p->width = width;
    w->p->height = height;
    return 0;
}

static bool is_name(struct bytes name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (bytes_eq(name, bytes_str(*list)))
            return true;
    }
    return false;
}

static uint32_t low_first(struct rd *r, size_t n)
{
    struct bytes b = rd_bytes(r, n);
    uint32_t v = 0;
    for (size_t i = b.n; i > 0; i--)
        v = v << 8 | b.p[i - 1];
    return v;
}

/* ---- PNG (RFC 2083) ---------------------------------------------------------------------------------------
 */

#define PNG_MARK BYTES_LIT("\x89PNG\r\n\x1a\n")

static int png_head(struct walk *w, struct bytes body)
{
    struct rd r;
    rd_init(&r, body);
    uint32_t width = rd_u32(&r), height = rd_u32(&r);
    uint8_t depth = rd_u8(&r), colours = rd_u8(&r);
    bool known = rd_u8(&r) == 0 && rd_u8(&r) == 0 && rd_u8(&r) <= 1;
    bool deep = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    if (rd_end(&r) != 0 || !known || !deep || colours > 6 || colours == 1 || colours == 5)
        return damaged(w, "its PNG header is none");
    return size_take(w, width, height);
}

static int png_walk(struct walk *w)
{
    static const char *const kept[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA",
                                       "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", NULL};
    bool first = true, data = false;
    (void)buf_bytes(w->left, PNG_MARK);
    for (;;) {
        const uint8_t *from = w->r.p;
        uint32_t n = rd_u32(&w->r);
        struct bytes name = rd_bytes(&w->r, 4);
        struct bytes body = rd_bytes(&w->r, n);
        (void)rd_u32(&w->r); /* its checksum goes along unread */
        if (w->r.err != 0)
            return damaged(w, "");
        if (first != bytes_eq(name, BYTES_LIT("IHDR")))
            return damaged(w, "its PNG header is not at the beginning, or there are two");
        int rc = first ? png_head(w, body) : 0;
        if (rc != 0)
            return rc;
        first = false;
        data = data || (n > 0 && bytes_eq(name, BYTES_LIT("IDAT")));
        if (is_name(name, kept))
            (void)buf_append(w->left, from, (size_t)(w->r.p - from));
        else if ((name.p[0] & 0x20) == 0)
            return damaged(w, "it has a part that is not known");
        if (bytes_eq(name, BYTES_LIT("IEND")))
            return data ? 0 : damaged(w, "it holds no pixels");
    }
}

/* ---- JPEG (ITU T.81) --------------------------------------------------------------------------------------
 */

enum {
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_APP0 = 0xe0,
    JPEG_APP2 = 0xe2,
    JPEG_APP14 = 0xee
};

static bool jpeg_is_frame(uint8_t m)
{
    return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc;
}

static bool jpeg_is_kept(uint8_t m, struct bytes body)
{
    if (m == JPEG_APP0)
        return bytes_starts(body, BYTES_LIT("JFIF"));
    if (m == JPEG_APP2)
        return bytes_starts(body, BYTES_LIT("ICC_PROFILE"));
    return m == JPEG_APP14 || (m >= 0xc0 && m <= 0xdf);
}

/* The next marker, fill bytes passed over; 0: there is none. */
static uint8_t jpeg_marker(struct walk *w)
{
    uint8_t m = 0xff;
    if (rd_u8(&w->r) != 0xff)
        return 0;
    while (m == 0xff && w->r.err == 0)
        m = rd_u8(&w->r);
    return w->r.err != 0 ? 0 : m;
}

/* What a scan is made of, up to the next marker that is none of its own. */
static void jpeg_scan(struct walk *w)
{
    const uint8_t *from = w->r.p, *at = from, *end = w->r.end;
    while (end - at > 1 && (at[0] != 0xff || at[1] == 0 || (at[1] >= 0xd0 && at[1] <= 0xd7)))
        at += at[0] == 0xff ? 2 : 1;
    if (end - at <= 1)
        at = end;
    (void)buf_append(w->left, from, (size_t)(at - from));
    (void)rd_bytes(&w->r, (size_t)(at - from));
}

static int jpeg_segment(struct walk *w, uint8_t m)
{
    uint16_t n = rd_u16(&w->r);
    struct bytes body = rd_bytes(&w->r, n < 2 ? 0 : (size_t)n - 2);
    if (w->r.err != 0 || n < 2)
        return damaged(w, "a part of it has no length");
    if (jpeg_is_kept(m, body)) {
        const uint8_t head[] = {0xff, m, (uint8_t)(n >> 8), (uint8_t)n};
        (void)buf_append(w->left, head, sizeof head);
        (void)buf_bytes(w->left, body);
    }
    if (!jpeg_is_frame(m))
        return 0;
    struct rd r;
    rd_init(&r, body);
    (void)rd_u8(&r);
    uint16_t height = rd_u16(&r), width = rd_u16(&r);
    return r.err != 0 || w->p->width != 0 ? damaged(w, "its JPEG header is none")
                                          : size_take(w, width, height);
}

static int jpeg_walk(struct walk *w)
{
    bool scanned = false;
    (void)buf_append(w->left, "\xff\xd8", 2);
    (void)rd_u16(&w->r);
    for (;;) {
        uint8_t m = jpeg_marker(w);
        if (w->r.err != 0 || m < 0xc0 || (m >= 0xd0 && m <= JPEG_SOI))
            return damaged(w, "there is no part where one should be");
        if (m == JPEG_EOI && !scanned)
            return damaged(w, "it holds no pixels");
        if (m == JPEG_EOI)
            return buf_append(w->left, "\xff\xd9", 2);
        if (m == JPEG_SOS && w->p->width == 0)
            return damaged(w, "its JPEG header is missing");
        int rc = jpeg_segment(w, m);
        if (rc != 0)
            return rc;
        if (m == JPEG_SOS) {
            jpeg_scan(w);
            scanned = true;
        }
    }
}

/* ---- WebP (RFC 9649) --------------------------------------------------------------------------------------
 */

#define WEBP_EXTRAS 0x0c /* of the flags: Exif, XMP */

static int webp_lossy(struct walk *w, struct bytes body)
{
    struct rd r;
    rd_init(&r, body);
    (void)rd_bytes(&r, 3);
    bool mark = bytes_eq(rd_bytes(&r, 3), BYTES_LIT("\x9d\x01\x2a"));
    uint32_t width = low_first(&r, 2) & 0x3fff, height = low_first(&r, 2) & 0x3fff;
    return r.err != 0 || !mark ? damaged(w, "its WebP header is none") : size_take(w, width, height);
}

static int webp_lossless(struct walk *w, struct bytes body)
{
    struct rd r;
    rd_init(&r, body);
    bool mark = rd_u8(&r) == 0x2f;
    uint32_t v = low_first(&r, 4);
    return r.err != 0 || !mark ? damaged(w, "its WebP header is none")
                               : size_take(w, (v & 0x3fff) + 1, (v >> 14 & 0x3fff) + 1);
}

static int webp_extended(struct walk *w, struct bytes body)
{
    struct rd r;
    rd_init(&r, body);
    (void)low_first(&r, 4);
    uint32_t width = low_first(&r, 3) + 1, height = low_first(&r, 3) + 1;
    return rd_end(&r) != 0 ? damaged(w, "its WebP header is none") : size_take(w, width, height);
}

/* One chunk; *pixels: it holds some. */
static int webp_chunk(struct walk *w, bool *pixels)
{
    static const char *const kept[] = {"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP", NULL};
    const uint8_t *from = w->r.p;
    struct bytes name = rd_bytes(&w->r, 4);
    uint32_t n = low_first(&w->r, 4);
    struct bytes body = rd_bytes(&w->r, n);
    (void)rd_bytes(&w->r, n & 1);
    if (w->r.err != 0)
        return damaged(w, "");
    size_t at = w->left->n;
    bool lossy = bytes_eq(name, BYTES_LIT("VP8 ")), lossless = bytes_eq(name, BYTES_LIT("VP8L"));
    bool extended = bytes_eq(name, BYTES_LIT("VP8X"));
    *pixels = *pixels || lossy || lossless || bytes_eq(name, BYTES_LIT("ANMF"));
    if (is_name(name, kept))
        (void)buf_append(w->left, from, (size_t)(w->r.p - from));
    int rc = lossy      ? webp_lossy(w, body)
             : lossless ? webp_lossless(w, body)
             : extended ? webp_extended(w, body)
                        : 0;
    if (rc == 0 && extended && w->left->err == 0)
        w->left->p[at + 8] &= (uint8_t)~WEBP_EXTRAS;
    return rc;
}

static int webp_walk(struct walk *w)
{
    size_t begin = w->left->n;
    bool pixels = false;
    int rc = 0;
    (void)rd_u32(&w->r);
    uint32_t n = low_first(&w->r, 4);
    struct bytes all = rd_bytes(&w->r, n);
    if (w->r.err != 0)
        return damaged(w, "");
    rd_init(&w->r, bytes_slice(all, 4, SIZE_MAX));
    (void)buf_bytes(w->left, BYTES_LIT("RIFF    WEBP"));
    while (rc == 0 && rd_left(&w->r) > 0)
        rc = webp_chunk(w, &pixels);
    if (rc != 0 || !pixels || w->p->width == 0) {
        w->p->cut = false; /* the file is whole; what is in it is not */
        return rc != 0 ? rc : err_set(w->e, ERR_FORMAT, "a damaged picture: it holds no pixels");
    }
    size_t size = w->left->n - begin - 8;
    for (size_t i = 0; i < 4 && w->left->err == 0; i++)
        w->left->p[begin + 4 + i] = (uint8_t)(size >> (8 * i));
    return 0;
}

/* ---- GIF (89a) --------------------------------------------------------------------------------------------
 */

enum { GIF_EXTENSION = 0x21, GIF_IMAGE = 0x2c, GIF_CONTROL = 0xf9, GIF_END = 0x3b };

static void gif_colours(struct rd *r, uint8_t flags)
{
    if ((flags & 0x80) != 0)
        (void)rd_bytes(r, (size_t)3 << ((flags & 7) + 1));
}

/* Data in pieces, up to the empty one. */
static void gif_pieces(struct rd *r)
{
    for (uint8_t n = 1; n > 0 && r->err == 0;) {
        n = rd_u8(r);
        (void)rd_bytes(r, n);
    }
}

static int gif_image(struct walk *w, const uint8_t *from)
{
    (void)low_first(&w->r, 4);
    uint32_t width = low_first(&w->r, 2), height = low_first(&w->r, 2);
    gif_colours(&w->r, rd_u8(&w->r));
    (void)rd_u8(&w->r);
    gif_pieces(&w->r);
    if (w->r.err != 0 || width == 0 || height == 0)
        return damaged(w, "it holds no pixels");
    if (width > w->p->width || height > w->p->height)
        return damaged(w, "what is in it is larger than itself");
    (void)buf_append(w->left, from, (size_t)(w->r.p - from));
    return buf_put(w->left, GIF_END);
}

static int gif_walk(struct walk *w)
{
    const uint8_t *from = w->r.p;
    (void)rd_bytes(&w->r, 6);
    uint32_t width = low_first(&w->r, 2), height = low_first(&w->r, 2);
    gif_colours(&w->r, (uint8_t)(low_first(&w->r, 3) & 0xff));
    int rc = size_take(w, width, height);
    if (rc != 0)
        return rc;
    (void)buf_append(w->left, from, (size_t)(w->r.p - from));
    for (;;) {
        from = w->r.p;
        uint8_t what = rd_u8(&w->r);
        if (what == GIF_IMAGE)
            return gif_image(w, from);
        uint8_t label = what == GIF_EXTENSION ? rd_u8(&w->r) : 0;
        if (what == GIF_EXTENSION)
            gif_pieces(&w->r);
        if (w->r.err != 0 || what != GIF_EXTENSION)
            return damaged(w,
                           what == GIF_END ? "it holds no pixels" : "there is no part where one should be");
        if (label == GIF_CONTROL)
            (void)buf_append(w->left, from, (size_t)(w->r.p - from));
    }
}

/* ---- all four ---------------------------------------------------------------------------------------------
 */

struct format {
    const char *type;
    int (*walk)(struct walk *w);
};

static const struct format *format_of(struct bytes file)
{
    static const struct format png = {"image/png", png_walk}, jpeg = {"image/jpeg", jpeg_walk},
                               webp = {"image/webp", webp_walk}, gif = {"image/gif", gif_walk};
    if (bytes_starts(file, PNG_MARK))
        return &png;
    if (bytes_starts(file, BYTES_LIT("\xff\xd8\xff")))
        return &jpeg;
    if (bytes_starts(file, BYTES_LIT("RIFF")) && bytes_starts(bytes_slice(file, 8, 4), BYTES_LIT("WEBP")))
        return &webp;
    bool is_gif = bytes_starts(file, BYTES_LIT("GIF87a")) || bytes_starts(file, BYTES_LIT("GIF89a"));
    return is_gif ? &gif : NULL;
}

static void id_make(struct bytes left, char out[PICTURE_ID_BYTES + 1])
{
    struct hash h;
    hash_parts(&h, &left, 1);
    for (size_t i = 0; i < HASH_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", h.b[i]);
}

int picture_read(struct bytes file, struct picture *out, struct buf *left, struct err *e)
{
    struct walk w = {.p = out, .left = left, .e = e};
    const struct format *f = format_of(file);
    size_t begin = left->n;
    *out = (struct picture){.type = f != NULL ? f->type : ""};
    if (file.n > PICTURE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a picture of more than %u MB", PICTURE_BYTES_MAX >> 20);
    if (f == NULL) {
        out->cut = file.n < 12;
        return err_set(e, ERR_FORMAT, "not a PNG, JPEG, WebP or GIF picture");
    }
    rd_init(&w.r, file);
    if (f->walk == png_walk)
        (void)rd_bytes(&w.r, PNG_MARK.n);
    int rc = f->walk(&w);
    if (rc == 0 && left->err != 0)
        rc = err_set(e, left->err, "reading a picture");
    if (rc == 0)
        id_make(bytes_slice(buf_view(left), begin, SIZE_MAX), out->id);
    return rc;
}

static int file_take(int fd, struct buf *out, struct err *e)
{
    for (ssize_t n = 1; n > 0;) {
        size_t at = out->n;
        uint8_t *room = buf_extend(out, 65536);
        if (room == NULL)
            return out->err == ERR_LIMIT
                       ? err_set(e, ERR_LIMIT, "a picture of more than %u MB", PICTURE_BYTES_MAX >> 20)
                       : err_set(e, out->err, "reading a picture");
        do {
            n = read(fd, room, 65536);
        } while (n < 0 && errno == EINTR);
        out->n = at + (n > 0 ? (size_t)n : 0);
        if (n < 0)
            return err_errno(e, errno, "reading a picture");
    }
    return 0;
}

int picture_load(const char *path, struct buf *scratch, struct picture *out, struct buf *left, struct err *e)
{
    int fd = -1;
    uint64_t size = 0;
    *out = (struct picture){.type = ""};
    int rc = regular_open(path, &fd, &size, e);
    if (rc != 0)
        return rc;
    buf_clear(scratch);
    rc = size > PICTURE_BYTES_MAX
             ? err_set(e, ERR_LIMIT, "a picture of more than %u MB", PICTURE_BYTES_MAX >> 20)
             : file_take(fd, scratch, e);
    (void)close(fd);
    return rc != 0 ? rc : picture_read(buf_view(scratch), out, left, e);
}

bool picture_named(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".webp", ".gif"};
    struct bytes n = bytes_str(name);
    for (size_t i = 0; name[0] != '.' && i < sizeof ends / sizeof ends[0]; i++) {
        struct bytes end = bytes_str(ends[i]);
        if (n.n > end.n && bytes_ieq(bytes_slice(n, n.n - end.n, end.n), end))
            return true;
    }
    return false;
}
