/* What a block of the model computes between its matrix products, forwards and backwards, for training on a CPU.
 *
 * torch's operators pass over memory once for each multiplication; here a row is read, worked on and written while it
 * is in the cache. Read from top to bottom: RMSNorm, SwiGLU, the heads (norm, rotary positions), the causal softmax, the
 * threads. What computes is compiled once for each kind of processor (vectors.h). All tensors are float32 and
 * contiguous. Rows do not depend on each other, so the number of threads changes no result.
 *
 * Dimensions as in gpt.py: B batch, T positions, C width of the residual stream, H query heads, K key/value heads,
 * D width of a head, F width inside the MLP, N = B T.
 */

#include "vectors.h"

#define MOST_WIDTH 512 /* of a head */
#define PART 64 /* numbers that a row is worked on at once */

INLINE float dot(const float *a, const float *b, int64_t n) {
    float sums[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int width = LANES / 2; width; width /= 2)
        for (int j = 0; j < width; j++)
            sums[j] += sums[j + width];
    return sum + sums[0];
}

/* ------------------------------------------------------------------------------------------------------- RMSNorm */

typedef struct { /* each task says which of these it needs */
    int64_t batch, length, width, heads, kv_heads, rotary, normed;
    float eps;
    const float *a, *b, *c, *d, *e;
    float *out, *out2, *out3;
} Task;

/* a: x [N, C] -> out: x / rms(x); out2: 1 / rms(x) [N] */
INLINE void norm_forward(const Task *t, int64_t row) {
    int64_t width = t->width;
    const float *x = t->a + row * width;
    float *normalized = t->out + row * width;
    float inverse = 1.0f / sqrtf(dot(x, x, width) / width + t->eps);
    for (int64_t i = 0; i < width; i++)
        normalized[i] = x[i] * inverse;
    t->out2[row] = inverse;
}

/* a: the gradient g of n = x / rms(x), b: n, c: 1 / rms(x), d: what is added or NULL -> out: d + (g - n mean(g n)) c */
INLINE void norm_backward(const Task *t, int64_t row) {
    int64_t width = t->width;
    const float *gradient = t->a + row * width, *normalized = t->b + row * width;
    float *out = t->out + row * width, inverse = t->c[row], mean = dot(gradient, normalized, width) / width;
    if (t->d) {
        const float *added = t->d + row * width;
        for (int64_t i = 0; i < width; i++)
            out[i] = added[i] + (gradient[i] - normalized[i] * mean) * inverse;
    } else {
        for (int64_t i = 0; i < width; i++)
            out[i] = (gradient[i] - normalized[i] * mean) * inverse;
    }
}

/* -------------------------------------------------------------------------------------------------------- SwiGLU */

/* 1 / (1 + e^-x) of n numbers */
INLINE void sigmoids(const float *restrict x, float *restrict out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = -x[i];
    exp_all(out, n);
    for (int64_t i = 0; i < n; i++)
        out[i] = 1.0f / (1.0f + out[i]);
}

/* a: u [N, 2 F] -> out: silu(u[:F]) u[F:]; width is F */
INLINE void swiglu_forward(const Task *t, int64_t row) {
    const float *gate = t->a + row * 2 * t->width, *up = gate + t->width;
    float *out = t->out + row * t->width, sigmoid[PART];
    for (int64_t from = 0; from < t->width; from += PART) {
        int64_t n = t->width - from < PART ? t->width - from : PART;
        sigmoids(gate + from, sigmoid, n);
        for (int64_t i = 0; i < n; i++)
            out[from + i] = gate[from + i] * sigmoid[i] * up[from + i];
    }
}

INLINE void swiglu_gradients(const float *restrict gate, const float *restrict up, const float *restrict gradient,
                             const float *restrict sigmoid, float *restrict gate_gradient,
                             float *restrict up_gradient, float *restrict result, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float gated = gate[i] * sigmoid[i];
        result[i] = gated * up[i];
        up_gradient[i] = gradient[i] * gated;
        gate_gradient[i] = gradient[i] * up[i] * (sigmoid[i] + gated * (1.0f - sigmoid[i]));
    }
}

/* a: u, b: the gradient of the result [N, F] -> out: the gradient of u, out2: the result once more */
INLINE void swiglu_backward(const Task *t, int64_t row) {
    const float *gate = t->a + row * 2 * t->width, *up = gate + t->width, *gradient = t->b + row * t->width;
    float *made = t->out + row * 2 * t->width, *result = t->out2 + row * t->width, sigmoid[PART];
    for (int64_t from = 0; from < t->width; from += PART) {
        int64_t n = t->width - from < PART ? t->width - from : PART;
        sigmoids(gate + from, sigmoid, n);
        swiglu_gradients(gate + from, up + from, gradient + from, sigmoid, made + from, made + t->width + from,
                         result + from, n);
    }
}

/* --------------------------------------------------------------------------------------------------------- heads */

/* Where head h of position t in sequence b lies among [B, K, T, H / K, D] queries or [B, K, T, D] keys and values. */
INLINE int64_t query_place(const Task *t, int64_t b, int64_t position, int64_t head) {
    int64_t group = t->heads / t->kv_heads;
    return (((b * t->kv_heads + head / group) * t->length + position) * group + head % group) * t->width;
}

INLINE int64_t key_place(const Task *t, int64_t b, int64_t position, int64_t head) {
    return ((b * t->kv_heads + head) * t->length + position) * t->width;
}

/* a: z [N, H + 2 K, D], b: factors [H + K, D], c: cosines and d: signed sines [T, D] -> out: q, out2: k, out3: v, each
 * head as a matrix of its own. Queries and keys are divided by their root mean square (`normed`), multiplied by their
 * factors and turned to their positions (`rotary`). A row is a position of a sequence. */
INLINE void heads_forward(const Task *t, int64_t row) {
    int64_t width = t->width, half = width / 2, all = t->heads + 2 * t->kv_heads;
    int64_t b = row / t->length, position = row % t->length;
    const float *cos = t->c + position * width, *sin = t->d + position * width;
    float scaled[MOST_WIDTH];
    for (int64_t head = 0; head < t->heads + t->kv_heads; head++) {
        const float *x = t->a + (row * all + head) * width, *factor = t->b + head * width;
        int is_query = head < t->heads;
        float *out = is_query ? t->out + query_place(t, b, position, head)
                              : t->out2 + key_place(t, b, position, head - t->heads);
        float inverse = t->normed ? 1.0f / sqrtf(dot(x, x, width) / width + t->eps) : 1.0f;
        float *made = t->rotary ? scaled : out;
        for (int64_t i = 0; i < width; i++)
            made[i] = x[i] * inverse * factor[i];
        if (t->rotary)
            for (int64_t i = 0; i < half; i++) {
                out[i] = scaled[i] * cos[i] + scaled[i + half] * sin[i];
                out[i + half] = scaled[i + half] * cos[i + half] + scaled[i] * sin[i + half];
            }
    }
    for (int64_t head = 0; head < t->kv_heads; head++)
        memcpy(t->out3 + key_place(t, b, position, head), t->a + (row * all + t->heads + t->kv_heads + head) * width,
               width * sizeof(float));
}

/* a to d as before, e: the gradients of q, k and v in one, [q | k | v] -> out: the gradient of z,
 * out2: that of the factors, [B, H + K, D], each sequence's own sum. A row is a sequence. */
INLINE void heads_backward(const Task *t, int64_t b) {
    int64_t width = t->width, half = width / 2, all = t->heads + 2 * t->kv_heads, rows = t->batch * t->length;
    const float *q = t->e, *k = q + rows * t->heads * width, *v = k + rows * t->kv_heads * width;
    float *sums = t->out2 + b * (t->heads + t->kv_heads) * width, turned[MOST_WIDTH], normalized[MOST_WIDTH];
    memset(sums, 0, (t->heads + t->kv_heads) * width * sizeof(float));
    for (int64_t position = 0; position < t->length; position++) {
        int64_t row = b * t->length + position;
        const float *cos = t->c + position * width, *sin = t->d + position * width;
        for (int64_t head = 0; head < t->heads + t->kv_heads; head++) {
            const float *x = t->a + (row * all + head) * width, *factor = t->b + head * width;
            const float *gradient = head < t->heads ? q + query_place(t, b, position, head)
                                                    : k + key_place(t, b, position, head - t->heads);
            float *out = t->out + (row * all + head) * width, *sum = sums + head * width;
            float inverse = t->normed ? 1.0f / sqrtf(dot(x, x, width) / width + t->eps) : 1.0f, mean = 0;
            if (t->rotary) {
                for (int64_t i = 0; i < half; i++) {
                    turned[i] = gradient[i] * cos[i] + gradient[i + half] * sin[i + half];
                    turned[i + half] = gradient[i + half] * cos[i + half] + gradient[i] * sin[i];
                }
                gradient = turned;
            }
            for (int64_t i = 0; i < width; i++) {
                normalized[i] = x[i] * inverse;
                sum[i] += gradient[i] * normalized[i];
            }
            for (int64_t i = 0; i < width; i++)
                turned[i] = gradient[i] * factor[i];
            if (t->normed)
                mean = dot(turned, normalized, width) / width;
            for (int64_t i = 0; i < width; i++)
                out[i] = (turned[i] - normalized[i] * mean) * inverse;
        }
        for (int64_t head = 0; head < t->kv_heads; head++)
            memcpy(t->out + (row * all + t->heads + t->kv_heads + head) * width, v + key_place(t, b, position, head),
                   width * sizeof(float));
    }
}

/* ------------------------------------------------------------------------------------------------ causal softmax */

/* out: scores [B K, T H / K, T], in whose place their softmax comes; queries attend up to their own position. A row is
 * one query of one head. */
INLINE void softmax_forward(const Task *t, int64_t row) {
    int64_t length = t->length, group = t->heads / t->kv_heads, seen = row / group % length + 1;
    int64_t whole = (seen + LANES - 1) / LANES * LANES; /* whole vectors, where the row has room for them */
    float *x = t->out + row * length;
    whole = whole <= length ? whole : seen;
    for (int64_t i = seen; i < whole; i++)
        x[i] = -INFINITY;
    softmax(x, whole);
    memset(x + seen, 0, (length - seen) * sizeof(float));
}

/* a: the weights p, out: their gradient g, in whose place that of the scores comes: p (g - sum(g p)) */
INLINE void softmax_backward(const Task *t, int64_t row) {
    int64_t length = t->length, group = t->heads / t->kv_heads, seen = row / group % length + 1;
    const float *weights = t->a + row * length;
    float *gradient = t->out + row * length, mean = dot(weights, gradient, seen);
    for (int64_t i = 0; i < seen; i++)
        gradient[i] = weights[i] * (gradient[i] - mean);
    memset(gradient + seen, 0, (length - seen) * sizeof(float));
}

/* ------------------------------------------------------------------------------------------- kinds of processor */

#define EACH_ROW(work)                                          \
    for (int64_t row = from; row < to; row++)                   \
        work(task, row);                                        \
    break

#define COMPUTE(name, attributes)                                                    \
    attributes static void name(const Task *task, int kind, int64_t from, int64_t to) { \
        switch (kind) {                                                              \
        case 0: EACH_ROW(norm_forward);                                              \
        case 1: EACH_ROW(norm_backward);                                             \
        case 2: EACH_ROW(swiglu_forward);                                            \
        case 3: EACH_ROW(swiglu_backward);                                           \
        case 4: EACH_ROW(heads_forward);                                             \
        case 5: EACH_ROW(heads_backward);                                            \
        case 6: EACH_ROW(softmax_forward);                                           \
        case 7: EACH_ROW(softmax_backward);                                          \
        }                                                                            \
    }

typedef void Compute(const Task *, int, int64_t, int64_t);

COMPUTE(compute_plain, )
#if HAS_KINDS
COMPUTE(compute_avx2, FOR_AVX2)
COMPUTE(compute_avx512, FOR_AVX512)
static Compute *const COMPUTE_BY[KINDS] = {compute_plain, compute_avx2, compute_avx512};
#else
static Compute *const COMPUTE_BY[KINDS] = {compute_plain, compute_plain, compute_plain};
#endif

/* ------------------------------------------------------------------------------------------------------- threads
 *
 * torch's own threads do the work where torch has them by way of GNU's OpenMP, whose functions are found when this is
 * loaded after torch: threads of ours would wait for a core on which torch's wait for their next operator.
 */

#if defined(__linux__)
extern void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned) __attribute__((weak));
extern int omp_get_thread_num(void) __attribute__((weak));
extern int omp_get_num_threads(void) __attribute__((weak));
#define HAS_THREADS (GOMP_parallel && omp_get_thread_num && omp_get_num_threads)
#else
static void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags) {
    (void)threads, (void)flags;
    work(data);
}
static int omp_get_thread_num(void) { return 0; }
static int omp_get_num_threads(void) { return 1; }
#define HAS_THREADS 0
#endif

typedef struct {
    const Task *task;
    Compute *compute;
    int64_t rows;
    int kind;
} Share;

static void compute_share(void *data) {
    Share *share = data;
    int64_t number = omp_get_thread_num(), threads = omp_get_num_threads();
    share->compute(share->task, share->kind, share->rows * number / threads, share->rows * (number + 1) / threads);
}

/* What a task takes; a library that was compiled from another version of this file takes something else. */
int64_t train_size(void) {
    return sizeof(Task);
}

static Compute *chosen;

/* To be called once, before the first task; whether torch's threads were found. */
int train_open(const char *limit) {
    chosen = COMPUTE_BY[kind_within(limit)];
    return HAS_THREADS;
}

/* Do the task of that number, of so many rows, with that many threads. */
void train_compute(const Task *task, int kind, int64_t rows, int64_t threads) {
    if (threads < 2 || !HAS_THREADS) {
        chosen(task, kind, 0, rows);
        return;
    }
    Share share = {task, chosen, rows, kind};
    GOMP_parallel(compute_share, &share, (unsigned)threads, 0);
}
