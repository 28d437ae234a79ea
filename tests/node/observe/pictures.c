#include "tests/node/observe/pictures.h"

#include "base/check.h"
#include "base/cursor.h"

#include <stdio.h>
#include <string.h>

static uint32_t side(uint32_t n)
{
    return n != 0 ? n : 8;
}

static struct bytes pixels(const struct picture_spec *s)
{
    return bytes_str(s->pixels != NULL ? s->pixels : "pixels");
}

static void low_first(struct buf *out, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        wr_u8(out, (uint8_t)(v >> (8 * i)));
}

static void png_chunk(struct buf *out, const char *name, struct bytes body)
{
    wr_u32(out, (uint32_t)body.n);
    (void)buf_str(out, name);
    wr_bytes(out, body);
    wr_u32(out, 0x12345678); /* nothing looks at it */
}

void picture_png(const struct picture_spec *s, struct buf *out)
{
    struct buf head;
    buf_init(&head, 64);
    wr_u32(&head, side(s->width));
    wr_u32(&head, side(s->height));
    wr_bytes(&head, BYTES_LIT("\x08\x02\0\0\0"));
    (void)buf_str(out, "\x89PNG\r\n\x1a\n");
    png_chunk(out, "IHDR", buf_view(&head));
    if (s->extra != NULL) {
        png_chunk(out, "tEXt", bytes_str(s->extra));
        png_chunk(out, "eXIf", bytes_str(s->extra));
    }
    png_chunk(out, "IDAT", pixels(s));
    png_chunk(out, "IEND", BYTES_NONE);
    (void)buf_str(out, s->behind != NULL ? s->behind : "");
    buf_release(&head);
}

static void jpeg_segment(struct buf *out, uint8_t marker, struct bytes body)
{
    wr_u8(out, 0xff);
    wr_u8(out, marker);
    wr_u16(out, (uint16_t)(body.n + 2));
    wr_bytes(out, body);
}

void picture_jpeg(const struct picture_spec *s, struct buf *out)
{
    struct buf head;
    buf_init(&head, 64);
    wr_u8(&head, 8);
    wr_u16(&head, (uint16_t)side(s->height));
    wr_u16(&head, (uint16_t)side(s->width));
    wr_bytes(&head, BYTES_LIT("\1\1\x11\0"));
    wr_bytes(out, BYTES_LIT("\xff\xd8"));
    jpeg_segment(out, 0xe0, BYTES_LIT("JFIF\0\1\1\0\0\1\0\1\0\0"));
    if (s->extra != NULL) {
        jpeg_segment(out, 0xe1, bytes_str(s->extra));
        jpeg_segment(out, 0xe2, bytes_str(s->extra));
        jpeg_segment(out, 0xfe, bytes_str(s->extra));
    }
    jpeg_segment(out, 0xdb, BYTES_LIT("quantised"));
    wr_u8(out, 0xff); /* a fill byte */
    jpeg_segment(out, 0xc0, buf_view(&head));
    jpeg_segment(out, 0xda, BYTES_LIT("\1\1\0\0?\0"));
    wr_bytes(out, pixels(s));
    wr_bytes(out, BYTES_LIT("\xff\0a\xff\xd0z\xff\xd9"));
    (void)buf_str(out, s->behind != NULL ? s->behind : "");
    buf_release(&head);
}

static void webp_chunk(struct buf *out, const char *name, struct bytes body)
{
    (void)buf_str(out, name);
    low_first(out, (uint32_t)body.n, 4);
    wr_bytes(out, body);
    if (body.n % 2 == 1)
        wr_u8(out, 0);
}

void picture_webp(const struct picture_spec *s, struct buf *out)
{
    struct buf body, head, all;
    buf_init(&body, 1u << 20);
    buf_init(&head, 64);
    buf_init(&all, 1u << 20);
    low_first(&head, s->extra != NULL ? 0x0c : 0, 4);
    low_first(&head, side(s->width) - 1, 3);
    low_first(&head, side(s->height) - 1, 3);
    (void)buf_str(&all, "WEBP");
    webp_chunk(&all, "VP8X", buf_view(&head));
    wr_bytes(&body, BYTES_LIT("\x10\0\0\x9d\x01\x2a"));
    low_first(&body, side(s->width), 2);
    low_first(&body, side(s->height), 2);
    wr_bytes(&body, pixels(s));
    webp_chunk(&all, "VP8 ", buf_view(&body));
    if (s->extra != NULL)
        webp_chunk(&all, "EXIF", bytes_str(s->extra));
    (void)buf_str(out, "RIFF");
    low_first(out, (uint32_t)all.n, 4);
    wr_bytes(out, buf_view(&all));
    (void)buf_str(out, s->behind != NULL ? s->behind : "");
    buf_release(&body);
    buf_release(&head);
    buf_release(&all);
}

static void gif_pieces(struct buf *out, struct bytes body)
{
    wr_u8(out, (uint8_t)body.n);
    wr_bytes(out, body);
    wr_u8(out, 0);
}

void picture_gif(const struct picture_spec *s, struct buf *out)
{
    (void)buf_str(out, "GIF89a");
    low_first(out, side(s->width), 2);
    low_first(out, side(s->height), 2);
    wr_bytes(out, BYTES_LIT("\x80\0\0\0\0\0\xff\xff\xff")); /* two colours */
    if (s->extra != NULL) {
        wr_bytes(out, BYTES_LIT("\x21\xfe"));
        gif_pieces(out, bytes_str(s->extra));
    }
    wr_bytes(out, BYTES_LIT("\x21\xf9\4\0\0\0\0\0\x2c\0\0\0\0"));
    low_first(out, side(s->width), 2);
    low_first(out, side(s->height), 2);
    wr_bytes(out, BYTES_LIT("\0\2"));
    gif_pieces(out, pixels(s));
    wr_u8(out, 0x3b);
    (void)buf_str(out, s->behind != NULL ? s->behind : "");
}

void picture_write(const char *path, struct bytes file)
{
    FILE *f = fopen(path, "w");
    CHECK(f != NULL && fwrite(file.p, 1, file.n, f) == file.n);
    CHECK(fclose(f) == 0);
}
