/* A QR code on a terminal, two rows a line by half blocks. */
#ifndef CLI_QR_H
#define CLI_QR_H

#include "cli/style.h"

/* Draws `text` with a quiet zone, dark on light whatever the terminal's colours; nothing when it does not fit
 * the width or cannot be encoded. */
void draw_qr(struct page *p, const char *text);

#endif
