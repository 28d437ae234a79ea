/* A QR code, by libqrencode. */
#include "cli/qr.h"

#include <qrencode.h>

#define QUIET 2

static bool dark(const QRcode *qr, int x, int y)
{
    if (x < 0 || y < 0 || x >= qr->width || y >= qr->width) {
        return false;
    }
    return (qr->data[y * qr->width + x] & 1) != 0;
}

/* Two modules, one above the other. Light is the full block: terminals are dark more often than not, and a
 * scanner wants light around. */
static const char *half(bool upper, bool lower)
{
    static const char *const blocks[] = {"█", "▀", "▄", " "};
    return blocks[(upper ? 2 : 0) + (lower ? 1 : 0)];
}

void draw_qr(struct page *p, const char *text)
{
    QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (qr == NULL) {
        return;
    }
    if (p->st->width >= (size_t)qr->width + 2 * QUIET + 4) {
        for (int y = -QUIET; y < qr->width + QUIET; y += 2) {
            page_str(p, "    ");
            if (p->st->color) {
                page_str(p, "\033[97;40m");
            }
            for (int x = -QUIET; x < qr->width + QUIET; x++) {
                page_str(p, half(dark(qr, x, y), dark(qr, x, y + 1)));
            }
            if (p->st->color) {
                page_str(p, "\033[0m");
            }
            page_str(p, "\n");
        }
        page_str(p, "\n");
    }
    QRcode_free(qr);
}
