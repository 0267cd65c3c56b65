/* Random models through decode.c, for the sanitizers: random_models FIRST_SEED SEEDS. All memory has its exact size.
 *
 * Each decodes some positions for some rows on one thread and on several, which must agree to the last bit.
 */

#include "../../../models/native/decode.c"

#include <stdio.h>

#include "random_memory.h"

static float *numbers(int64_t n) {
    float *x = take(n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(below(2001) - 1000) / 2000;
    return x;
}

static Linear random_linear(int64_t out, int64_t in, int bias, int int8) {
    Linear linear = {.out = out, .in = in, .bias = bias ? numbers(out) : NULL};
    int64_t groups = groups_of(in);
    if (int8) {
        int8_t *rounded = take(out * groups * GROUP);
        for (int64_t i = 0; i < out * groups * GROUP; i++)
            rounded[i] = (int8_t)(below(255) - 127);
        linear.rounded = rounded;
        linear.scales = numbers(out * groups);
    } else {
        linear.weight = numbers(out * in);
    }
    return linear;
}

static Norm random_norm(int64_t n, int centred, int bias) {
    return (Norm){.gain = numbers(n), .bias = bias ? numbers(n) : NULL, .eps = 1e-5f, .centred = centred};
}

static void try_model(uint64_t seed) {
    state = seed;
    int rope = (int)below(2), bias = (int)below(2), centred = (int)below(2), int8 = (int)below(2), mlp = (int)below(5) > 0;
    int qk_norm = (int)below(2);
    Model m = {.layers = 1 + below(3), .width = 1 + below(200), .kv_heads = 1 + below(3), .post = (int)below(2),
               .head_width = (1 + below(20)) * (1 + rope), .hidden = mlp ? 1 + below(300) : 0,
               .vocabulary = 1 + below(100), .activation = mlp ? (int)below(5) : NO_ACTIVATION};
    m.heads = m.kv_heads * (1 + below(3));
    int64_t merged = m.heads * m.head_width, projected = merged + 2 * m.kv_heads * m.head_width;
    Layer *layers = take(m.layers * sizeof *layers);
    for (int64_t i = 0; i < m.layers; i++) {
        layers[i] = (Layer){.attention_norm = random_norm(m.width, centred, bias),
                            .qkv = random_linear(projected, m.width, bias, int8),
                            .out = random_linear(m.width, merged, bias, int8)};
        if (qk_norm)
            layers[i].q_norm = random_norm(m.head_width, 0, 0), layers[i].k_norm = random_norm(m.head_width, 0, 0);
        if (mlp) {
            layers[i].mlp_norm = random_norm(m.width, centred, bias);
            layers[i].up = random_linear(m.activation == SWIGLU ? 2 * m.hidden : m.hidden, m.width, bias, int8);
            layers[i].down = random_linear(m.width, m.hidden, bias, int8);
        }
    }
    m.layer = layers;
    m.embedding = numbers(m.vocabulary * m.width);
    if (!m.post)
        m.norm = random_norm(m.width, centred, bias);
    m.head = random_linear(m.vocabulary, m.width, 0, int8);

    const char *limits[] = {"", "avx2", "plain"};
    Decoder *d = decode_open(&m, limits[below(3)]);
    int64_t rows = 1 + below(6), positions = 1 + below(40), size = m.layers * rows * m.kv_heads * positions * m.head_width;
    int64_t *tokens = take(rows * sizeof *tokens);
    float *logits = take(rows * m.vocabulary * sizeof *logits), *before = take(rows * m.vocabulary * sizeof *logits);
    Step step = {.rows = rows, .positions = positions, .tokens = tokens, .logits = logits,
                 .place = below(2) ? numbers(m.width) : NULL, .keys = take(size * sizeof(float)),
                 .values = take(size * sizeof(float)), .head_stride = positions * m.head_width};
    if (rope)
        step.cos = numbers(m.head_width), step.sin = numbers(m.head_width);
    step.row_stride = m.kv_heads * step.head_stride;
    step.layer_stride = rows * step.row_stride;
    for (step.position = 0; step.position < positions; step.position++) {
        for (int64_t b = 0; b < rows; b++)
            tokens[b] = below(m.vocabulary);
        for (int64_t threads = 1; threads <= 4; threads += 3) {
            step.threads = threads;
            if (!d || decode_step(d, &step) != DONE)
                exit(3);
            if (threads == 1)
                memcpy(before, logits, rows * m.vocabulary * sizeof *logits);
        }
        if (memcmp(before, logits, rows * m.vocabulary * sizeof *logits)) {
            fprintf(stderr, "seed %llu, position %lld: several threads differ\n", (unsigned long long)seed,
                    (long long)step.position);
            exit(4);
        }
    }
    tokens[0] = m.vocabulary;
    if (decode_step(d, &step) != NO_SUCH_TOKEN)
        exit(5);
    decode_close(d);
    give_back();
}

int main(int count, char **arguments) {
    uint64_t first = count > 1 ? strtoull(arguments[1], NULL, 10) : 0;
    uint64_t seeds = count > 2 ? strtoull(arguments[2], NULL, 10) : 100;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        try_model(seed);
    return 0;
}
