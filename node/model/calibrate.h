/* Calibration: what a model's stated confidence is worth. Platt scaling for each model (origin):
 *
 *   prior(s) = σ(a·logit(x) + b),  x = (s − 0.5) / 10 for a stated s of 1..10
 *
 * fitted to what became of claims of that model whose stated confidence is known: the user's verdict counts
 * once (confirmed 1, rejected 0); without one, evidence that speaks clearly counts a half (at least 3
 * occasions for and none against: 1; more against than for: 0). A Gaussian prior of precision
 * CALIBRATE_PRECISION around a = 0.5, b = −0.2 stands for no data: few outcomes move little, and a claim
 * stated as 10 begins at about 0.77. The result is kept within 0.05 … 0.90: certainty comes from evidence and
 * the user alone.
 *
 * Fitting is deterministic; what it gives is written once, as REG_PRIOR of the claim when it is proposed. The
 * stated number is kept as the tag "stated:N" of the claim, so that every device can learn from it. */
#ifndef NODE_MODEL_CALIBRATE_H
#define NODE_MODEL_CALIBRATE_H

#include "store/store.h"

#define CALIBRATE_PRECISION 8.0
#define CALIBRATE_MIN 0.05
#define CALIBRATE_MAX 0.90

struct calibration {
    double a, b;
    double weight; /* of the outcomes it rests on */
};
struct calibrate_outcome {
    uint8_t stated; /* 1..10 */
    bool held;
    double weight;
};
void calibrate_fit(const struct calibrate_outcome *v, size_t n, struct calibration *out);
/* Probability for a stated confidence; 1/1000 for REG_PRIOR. */
double calibrate_probability(const struct calibration *c, uint8_t stated);
uint16_t calibrate_prior(const struct calibration *c, uint8_t stated);
/* From what the store holds of an origin; at most CALIBRATE_CLAIMS outcomes. */
#define CALIBRATE_CLAIMS 2000u
int calibrate_load(struct store *s, struct bytes origin, struct calibration *out, struct err *e) MUST_CHECK;
/* "stated:7" */
void calibrate_tag(uint8_t stated, char out[16]);

#endif
