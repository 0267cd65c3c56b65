/* One position of a decoder-only Transformer for a few rows side by side: what models/gpt.py computes, in plain loops.
 *
 * Read from top to bottom: the model, the threads, the products, the norms, attention, the step. The loops are written
 * so that compilers make vector code of them; what computes is compiled once for each kind of processor (vectors.h),
 * and the best that this one has is chosen when a model is opened. structs.py mirrors the structs and calls
 * the functions that are not static.
 *
 * Dimensions as in gpt.py: B rows, C width of the residual stream, H query heads, K key/value heads, D width of a head,
 * F width inside the MLP, V vocabulary, S positions so far. Weights are where torch keeps them, [out, in], row-major.
 */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "vectors.h"

#define GROUP 64 /* int8 weights that share a scale; inputs are padded with zeros to a multiple of it */
#define CHUNK_BYTES 65536 /* of weights that a thread multiplies before it asks for more */
#define LEAST_CHUNKS 8 /* chunks that a product has at least, where its outputs are enough */
#define BLOCK 512 /* inputs of an int8 weight that are turned into float32 at once */
#define AHEAD 1024 /* bytes before an int8 weight is used, when it is fetched */
#define FEW_ROWS 4 /* rows from which on int8 weights are turned into float32 once for all of them */
#define SPINS 2000 /* looks for work, some tens of microseconds, before a thread goes to sleep */

/* ------------------------------------------------------------------------------------------------------- the model */

typedef struct {
    const float *weight; /* [out, in], or NULL where it is int8 */
    const int8_t *rounded; /* [out, groups, GROUP] */
    const float *scales; /* [out, groups] */
    const float *bias; /* [out], or NULL */
    int64_t out, in;
} Linear;

typedef struct {
    const float *gain, *bias; /* gain NULL: there is no such norm; bias may be NULL */
    float eps;
    int32_t centred; /* LayerNorm, otherwise RMSNorm */
} Norm;

typedef struct {
    Norm attention_norm, q_norm, k_norm, mlp_norm;
    Linear qkv, out, up, down; /* up.out is 0 without an MLP */
} Layer;

enum { GELU, GELU_TANH, RELU, RELU2, SWIGLU, NO_ACTIVATION };

typedef struct {
    int64_t layers, width, heads, kv_heads, head_width, hidden, vocabulary;
    int32_t post, activation;
    const float *embedding; /* [V, C] */
    const Layer *layer;
    Norm norm; /* none with post-norm */
    Linear head;
} Model;

typedef struct {
    int64_t rows, position, positions, threads; /* positions: that the cache has room for */
    const int64_t *tokens; /* [B] */
    const float *place, *cos, *sin; /* of this position: [C], [D] and [D]; NULL where the model has none */
    float *keys, *values; /* [layers, B, K, positions, D], with the strides below, in elements */
    int64_t layer_stride, row_stride, head_stride;
    float *logits; /* [B, V] */
} Step;

enum { NORM, ROUND, PRODUCT, ATTENTION };

typedef struct Decoder Decoder;

typedef struct {
    int kind;
    const Linear *linear; /* PRODUCT: out = activation(linear(in)), or out += linear(in) */
    const Norm *norm; /* NORM: out = norm(in) */
    const float *in;
    float *out;
    int64_t layer; /* ATTENTION */
    int32_t add, activation;
    int64_t chunks, size; /* a chunk is `size` outputs of a product, one row of a norm, the heads that share keys */
} Task;

struct Decoder {
    Model model;
    Step step;
    Task task;
    void (*work)(Decoder *, int64_t);
    float head_scale;
    int64_t rows, positions; /* that the memory below is for */
    float *memory, *x, *normed, *projected, *attended, *hidden, *products, *scores, *input_scales;
    int16_t *input; /* of an int8 product: [B, padded in], with a scale for each group */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t *pool;
    int64_t workers; /* threads beside the caller's */
    pid_t process;
    _Alignas(64) atomic_llong remaining; /* chunks that nobody has taken; each counter has a line of the caches */
    _Alignas(64) atomic_llong unfinished; /* chunks that are not done */
    _Alignas(64) atomic_llong wanted; /* workers that the present step may use; 0 between two steps */
    atomic_int sleeping, stopping;
};

/* ----------------------------------------------------------------------------------------------------- the threads
 *
 * The caller sets a task and takes chunks of it like everyone else, so a worker that has no core to run on holds
 * nothing up. Chunks do not depend on the number of threads, so neither do the results.
 */

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Do chunks of the task until none is left; how many. */
static int64_t take_chunks(Decoder *d) {
    int64_t taken = 0;
    long long left = atomic_load(&d->remaining);
    while (left > 0)
        if (atomic_compare_exchange_weak(&d->remaining, &left, left - 1)) {
            d->work(d, d->task.chunks - left); /* the task stays as it is until this chunk counts as done */
            taken++;
            left = atomic_load(&d->remaining);
        }
    if (taken)
        atomic_fetch_sub(&d->unfinished, taken);
    return taken;
}

typedef struct {
    Decoder *decoder;
    int64_t number;
} Worker;

static void *work_on(void *argument) {
    Worker worker = *(Worker *)argument;
    Decoder *d = worker.decoder;
    free(argument);
    int spins = 0;
    while (!atomic_load(&d->stopping)) {
        int mine = worker.number < atomic_load(&d->wanted);
        if (mine && take_chunks(d)) {
            spins = 0;
        } else if (++spins < SPINS) {
            pause_briefly();
        } else if (mine) {
            sched_yield();
        } else {
            pthread_mutex_lock(&d->lock);
            atomic_fetch_add(&d->sleeping, 1);
            while (worker.number >= atomic_load(&d->wanted) && !atomic_load(&d->stopping))
                pthread_cond_wait(&d->wake, &d->lock);
            atomic_fetch_sub(&d->sleeping, 1);
            pthread_mutex_unlock(&d->lock);
            spins = 0;
        }
    }
    return NULL;
}

static void wake_workers(Decoder *d) {
    if (atomic_load(&d->sleeping) > 0) {
        pthread_mutex_lock(&d->lock);
        pthread_cond_broadcast(&d->wake);
        pthread_mutex_unlock(&d->lock);
    }
}

/* So many workers at least, or as many as the system allows. After a fork the child has none of its parent's. */
static void have_workers(Decoder *d, int64_t count) {
    if (d->process != getpid()) {
        d->process = getpid();
        d->workers = 0;
        pthread_mutex_init(&d->lock, NULL);
        pthread_cond_init(&d->wake, NULL);
        atomic_store(&d->sleeping, 0);
    }
    if (d->workers >= count)
        return;
    pthread_t *longer = realloc(d->pool, count * sizeof *longer);
    if (!longer)
        return;
    d->pool = longer;
    sigset_t all, before; /* signals are for the threads of the program */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (d->workers < count) {
        Worker *worker = malloc(sizeof *worker);
        if (!worker)
            break;
        *worker = (Worker){d, d->workers};
        if (pthread_create(&d->pool[d->workers], NULL, work_on, worker)) {
            free(worker);
            break;
        }
        d->workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void run(Decoder *d, Task task) {
    d->task = task;
    if (task.chunks == 1 || !atomic_load(&d->wanted)) {
        for (int64_t chunk = 0; chunk < task.chunks; chunk++)
            d->work(d, chunk);
        return;
    }
    atomic_store(&d->unfinished, task.chunks);
    atomic_store(&d->remaining, task.chunks);
    take_chunks(d);
    for (int spins = 0; atomic_load(&d->unfinished); spins++)
        spins < SPINS ? pause_briefly() : (void)sched_yield();
}

/* --------------------------------------------------------------------------------------------------- the functions */

/* Have memory on its way into the caches; it need not be ours. */
INLINE void prefetch(const void *memory) {
#if defined(__GNUC__)
    __builtin_prefetch(memory);
#else
    (void)memory;
#endif
}

static int64_t groups_of(int64_t n) {
    return (n + GROUP - 1) / GROUP;
}

/* The error function to 1.5e-7, with e = exp(-x * x): Abramowitz and Stegun, 7.1.26. */
INLINE float erf_of(float x, float e) {
    float t = 1.0f / (1.0f + 0.3275911f * fabsf(x));
    float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    return copysignf(1.0f - p * e, x);
}

/* x = activation(x); SWIGLU does so with the half that gates. */
INLINE void activate(int32_t activation, float *restrict x, int64_t n) {
    if (activation == RELU)
        for (int64_t i = 0; i < n; i++)
            x[i] = x[i] < 0 ? 0 : x[i];
    if (activation == RELU2)
        for (int64_t i = 0; i < n; i++)
            x[i] = x[i] < 0 ? 0 : x[i] * x[i];
    if (activation >= RELU2 && activation != SWIGLU)
        return;
    for (float e[4 * LANES]; n > 0; x += 4 * LANES, n -= 4 * LANES) {
        int64_t part = n < 4 * LANES ? n : 4 * LANES;
        if (activation == GELU) {
            for (int64_t i = 0; i < part; i++)
                e[i] = -0.5f * x[i] * x[i];
            exp_all(e, part);
            for (int64_t i = 0; i < part; i++)
                x[i] = 0.5f * x[i] * (1.0f + erf_of(x[i] * 0.707106781f, e[i]));
        } else if (activation == GELU_TANH) { /* (1 + tanh(y)) / 2 is 1 / (1 + exp(-2 y)) */
            for (int64_t i = 0; i < part; i++)
                e[i] = -1.59576912f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
            exp_all(e, part);
            for (int64_t i = 0; i < part; i++)
                x[i] /= 1.0f + e[i];
        } else if (activation == SWIGLU) {
            for (int64_t i = 0; i < part; i++)
                e[i] = -x[i];
            exp_all(e, part);
            for (int64_t i = 0; i < part; i++)
                x[i] /= 1.0f + e[i];
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- the products */

/* y[r] = w[r] . x, for `rows` rows of n numbers each. */
INLINE void dots(const float *restrict w, const float *restrict x, float *restrict y, int64_t rows, int64_t n) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, w += 4 * n) {
        const float *w1 = w + n, *w2 = w1 + n, *w3 = w2 + n;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int64_t i = 0; i < n; i++) {
            s0 += w[i] * x[i];
            s1 += w1[i] * x[i];
            s2 += w2[i] * x[i];
            s3 += w3[i] * x[i];
        }
        y[r] = s0, y[r + 1] = s1, y[r + 2] = s2, y[r + 3] = s3;
    }
    for (; r < rows; r++, w += n) {
        float s = 0;
        for (int64_t i = 0; i < n; i++)
            s += w[i] * x[i];
        y[r] = s;
    }
}

/* The same for two vectors, x and z, with the results y and u: each weight serves both. */
INLINE void dots_of_two(const float *restrict w, const float *restrict x, const float *restrict z, float *restrict y,
                        float *restrict u, int64_t rows, int64_t n) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, w += 4 * n) {
        const float *w1 = w + n, *w2 = w1 + n, *w3 = w2 + n;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        for (int64_t i = 0; i < n; i++) {
            s0 += w[i] * x[i], t0 += w[i] * z[i];
            s1 += w1[i] * x[i], t1 += w1[i] * z[i];
            s2 += w2[i] * x[i], t2 += w2[i] * z[i];
            s3 += w3[i] * x[i], t3 += w3[i] * z[i];
        }
        y[r] = s0, y[r + 1] = s1, y[r + 2] = s2, y[r + 3] = s3;
        u[r] = t0, u[r + 1] = t1, u[r + 2] = t2, u[r + 3] = t3;
    }
    dots(w, x, y + r, rows - r, n);
    dots(w, z, u + r, rows - r, n);
}

/* The same for B vectors x [B, x_stride] and results y [B, y_stride]. */
INLINE void dots_of_all(const float *w, const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                        int64_t n, int64_t count) {
    int64_t b = 0;
    for (; b + 2 <= count; b += 2, x += 2 * x_stride, y += 2 * y_stride)
        dots_of_two(w, x, x + x_stride, y, y + y_stride, rows, n);
    if (b < count)
        dots(w, x, y, rows, n);
}

/* Round a row to 16 bits, with a scale for each group; a group with what is no number gets such a scale. */
INLINE void round_input(const float *x, int64_t n, int16_t *restrict rounded, float *restrict scales) {
    for (int64_t g = 0; g * GROUP < n; g++, x += GROUP, rounded += GROUP) {
        float part[GROUP] = {0}, sizes[GROUP], wrong = 0, largest = 0;
        memcpy(part, x, (n - g * GROUP < GROUP ? n - g * GROUP : GROUP) * sizeof *x);
        for (int i = 0; i < GROUP; i++)
            wrong += part[i] * 0.0f;
        for (int i = 0; i < GROUP; i++)
            sizes[i] = fabsf(part[i]);
        for (int half = GROUP / 2; half; half /= 2)
            for (int i = 0; i < half; i++)
                sizes[i] = sizes[i + half] > sizes[i] ? sizes[i + half] : sizes[i];
        largest = sizes[0];
        if (wrong != 0 || largest < 1e-30f) {
            memset(rounded, 0, GROUP * sizeof *rounded);
            scales[g] = wrong;
            continue;
        }
        float steps = 32767.0f / largest;
        for (int i = 0; i < GROUP; i++) {
            float y = part[i] * steps;
            rounded[i] = (int16_t)(int32_t)(y + copysignf(0.5f, y));
        }
        scales[g] = largest / 32767.0f;
    }
}

/* As `dots`, in integers group by group: 64 products of 8 and 16 bits fit 32. */
INLINE void rounded_dots(const int8_t *restrict w, const float *restrict scales, const int16_t *restrict x,
                         const float *restrict x_scales, float *restrict y, int64_t rows, int64_t groups) {
    for (int64_t r = 0; r < rows; r++, scales += groups) {
        float s = 0;
        for (int64_t g = 0; g < groups; g++, w += GROUP) {
            const int16_t *part = x + g * GROUP;
            int32_t sum = 0;
            prefetch(w + AHEAD);
            for (int i = 0; i < GROUP; i++)
                sum += w[i] * part[i];
            s += (float)sum * (scales[g] * x_scales[g]);
        }
        y[r] = s;
    }
}

/* As `dots_of_all` for up to four int8 rows, which are turned into float32 block by block. */
INLINE void converted_dots(const int8_t *w, const float *scales, const float *x, int64_t n, float *y, int64_t y_stride,
                           int64_t rows, int64_t count) {
    float floats[4 * BLOCK + GROUP], sums[2 * 4];
    int64_t groups = groups_of(n);
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t length = n - start < BLOCK ? n - start : BLOCK;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t g = 0; g * GROUP < length; g++) {
                const int8_t *from = w + r * groups * GROUP + start + g * GROUP;
                float scale = scales[r * groups + start / GROUP + g];
                for (int64_t i = 0; i < GROUP; i++) /* beyond the inputs they are overwritten, or not read */
                    floats[r * length + g * GROUP + i] = from[i] * scale;
            }
        for (int64_t b = 0; b < count; b += 2) {
            int64_t pair = count - b < 2 ? 1 : 2;
            dots_of_all(floats, x + b * n + start, n, sums, 4, rows, length, pair);
            for (int64_t p = 0; p < pair; p++)
                for (int64_t r = 0; r < rows; r++)
                    y[(b + p) * y_stride + r] = (start ? y[(b + p) * y_stride + r] : 0) + sums[4 * p + r];
        }
    }
}

/* y [B, out] = in [B, in] times the weight, for the outputs `first` to `first + count`. */
INLINE void multiply(const Decoder *d, const Linear *linear, const float *in, int64_t first, int64_t count, float *y) {
    int64_t n = linear->in, rows = d->step.rows, groups = groups_of(n), last = first + count;
    if (!linear->weight && rows < FEW_ROWS) {
        for (int64_t b = 0; b < rows; b++)
            rounded_dots(linear->rounded + first * groups * GROUP, linear->scales + first * groups,
                         d->input + b * groups * GROUP, d->input_scales + b * groups, y + b * linear->out + first,
                         count, groups);
        return;
    }
    for (int64_t r = first; r < last; r += 4) {
        int64_t four = last - r < 4 ? last - r : 4;
        if (linear->weight)
            dots_of_all(linear->weight + r * n, in, n, y + r, linear->out, four, n, rows);
        else
            converted_dots(linear->rounded + r * groups * GROUP, linear->scales + r * groups, in, n, y + r,
                           linear->out, four, rows);
    }
}

INLINE void add_bias(const Linear *linear, float *y, int64_t first, int64_t count) {
    if (linear->bias)
        for (int64_t r = first; r < first + count; r++)
            y[r] += linear->bias[r];
}

/* A chunk of PRODUCT: some outputs for all rows. */
INLINE void product_chunk(Decoder *d, const Task *task, int64_t chunk) {
    const Linear *linear = task->linear;
    int64_t out = task->activation == SWIGLU ? linear->out / 2 : linear->out;
    int64_t first = chunk * task->size, count = out - first < task->size ? out - first : task->size;
    int direct = !task->add && task->activation != SWIGLU;
    float *y = direct ? task->out : d->products;
    multiply(d, linear, task->in, first, count, y);
    if (task->activation == SWIGLU)
        multiply(d, linear, task->in, out + first, count, y);
    for (int64_t b = 0; b < d->step.rows; b++, y += linear->out) {
        float *to = task->out + b * out;
        add_bias(linear, y, first, count);
        if (task->add) {
            for (int64_t r = first; r < first + count; r++)
                to[r] += y[r];
        } else if (task->activation == SWIGLU) {
            add_bias(linear, y, out + first, count);
            activate(SWIGLU, y + first, count);
            for (int64_t r = first; r < first + count; r++)
                to[r] = y[r] * y[out + r];
        } else {
            activate(task->activation, to + first, count);
        }
    }
}

/* ------------------------------------------------------------------------------------------------------- the norms */

/* out = norm(x), n numbers; both may be the same. */
INLINE void normalize(const Norm *norm, const float *x, float *out, int64_t n) {
    float mean = 0, squares = 0;
    if (norm->centred) {
        for (int64_t i = 0; i < n; i++)
            mean += x[i];
        mean /= (float)n;
    }
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    float inverse = 1.0f / sqrtf(squares / (float)n + norm->eps);
    for (int64_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) * inverse * norm->gain[i];
    if (norm->bias)
        for (int64_t i = 0; i < n; i++)
            out[i] += norm->bias[i];
}

/* ------------------------------------------------------------------------------------------------------- attention */

/* Queries or keys of one head: QK-norm, then rotary positions, in place. */
INLINE void place_head(const Decoder *d, const Norm *norm, float *x) {
    int64_t width = d->model.head_width, half = width / 2;
    if (norm->gain)
        normalize(norm, x, x, width);
    if (d->step.cos)
        for (int64_t i = 0; i < half; i++) {
            float a = x[i], b = x[half + i];
            x[i] = a * d->step.cos[i] + b * d->step.sin[i];
            x[half + i] = b * d->step.cos[half + i] + a * d->step.sin[half + i];
        }
}

/* A chunk of ATTENTION: one row's heads that share keys and values; those of the new position go into the cache. */
INLINE void attention_chunk(Decoder *d, const Task *task, int64_t chunk) {
    const Model *m = &d->model;
    const Layer *layer = &m->layer[task->layer];
    int64_t row = chunk / m->kv_heads, shared = chunk % m->kv_heads, group = m->heads / m->kv_heads;
    int64_t width = m->head_width, length = d->step.position + 1, first = shared * group;
    int64_t place = task->layer * d->step.layer_stride + row * d->step.row_stride + shared * d->step.head_stride;
    float *keys = d->step.keys + place, *values = d->step.values + place;
    float *projected = d->projected + row * layer->qkv.out;
    float *q = projected + first * width, *k = projected + (m->heads + shared) * width, *v = k + m->kv_heads * width;
    float *scores = d->scores + (row * m->heads + first) * d->positions;
    float *out = d->attended + (row * m->heads + first) * width;

    place_head(d, &layer->k_norm, k);
    memcpy(keys + d->step.position * width, k, width * sizeof *k);
    memcpy(values + d->step.position * width, v, width * sizeof *v);
    for (int64_t h = 0; h < group; h++) {
        place_head(d, &layer->q_norm, q + h * width);
        for (int64_t i = 0; i < width; i++)
            q[h * width + i] *= d->head_scale;
    }
    dots_of_all(keys, q, width, scores, d->positions, length, width, group);
    for (int64_t h = 0; h < group; h++, scores += d->positions, out += width) {
        softmax(scores, length);
        memset(out, 0, width * sizeof *out);
        int64_t s = 0;
        for (; s + 4 <= length; s += 4) {
            const float *v0 = values + s * width, *v1 = v0 + width, *v2 = v1 + width, *v3 = v2 + width;
            for (int64_t i = 0; i < width; i++)
                out[i] += scores[s] * v0[i] + scores[s + 1] * v1[i] + scores[s + 2] * v2[i] + scores[s + 3] * v3[i];
        }
        for (; s < length; s++)
            for (int64_t i = 0; i < width; i++)
                out[i] += scores[s] * values[s * width + i];
    }
}

/* ---------------------------------------------------------------------------------------------- kinds of processor */

INLINE void work(Decoder *d, int64_t chunk) {
    const Task *task = &d->task;
    switch (task->kind) {
    case PRODUCT: product_chunk(d, task, chunk); break;
    case ATTENTION: attention_chunk(d, task, chunk); break;
    case NORM: {
        int64_t n = d->model.width;
        normalize(task->norm, task->in + chunk * n, task->out + chunk * n, n);
        break;
    }
    case ROUND: {
        int64_t n = task->linear->in, groups = groups_of(n);
        round_input(task->in + chunk * n, n, d->input + chunk * groups * GROUP, d->input_scales + chunk * groups);
        break;
    }
    }
}

static void work_plain(Decoder *d, int64_t chunk) {
    work(d, chunk);
}

#if HAS_KINDS
FOR_AVX2 static void work_avx2(Decoder *d, int64_t chunk) {
    work(d, chunk);
}

FOR_AVX512 static void work_avx512(Decoder *d, int64_t chunk) {
    work(d, chunk);
}

static void (*const WORK[KINDS])(Decoder *, int64_t) = {work_plain, work_avx2, work_avx512};
#else
static void (*const WORK[KINDS])(Decoder *, int64_t) = {work_plain, work_plain, work_plain};
#endif

/* The name of the kind of processor that is used here under that limit. */
const char *native_kind(const char *limit) {
#if defined(__aarch64__)
    (void)limit;
    return "neon";
#else
    return (const char *[]){"plain", "avx2", "avx512"}[kind_within(limit)];
#endif
}

/* What the structs take; a library that was compiled from another version of this file takes something else. */
int64_t decode_size(void) {
    return (int64_t)(sizeof(Model) << 32 | sizeof(Layer) << 16 | sizeof(Step));
}

/* -------------------------------------------------------------------------------------------------------- the step */

static void norm(Decoder *d, const Norm *norm, const float *in, float *out) {
    run(d, (Task){.kind = NORM, .norm = norm, .in = in, .out = out, .chunks = d->step.rows});
}

static void linear(Decoder *d, const Linear *linear, const float *in, float *out, int add, int activation) {
    int64_t outputs = activation == SWIGLU ? linear->out / 2 : linear->out;
    int64_t size = CHUNK_BYTES / (linear->in * (linear->weight ? 4 : 1));
    size = size < outputs / LEAST_CHUNKS ? size : outputs / LEAST_CHUNKS;
    size = size < 4 ? 4 : size / 4 * 4; /* whole blocks of four: what an output is does not depend on its chunk */
    if (!linear->weight && d->step.rows < FEW_ROWS)
        run(d, (Task){.kind = ROUND, .linear = linear, .in = in, .chunks = d->step.rows});
    run(d, (Task){.kind = PRODUCT, .linear = linear, .in = in, .out = out, .add = add, .activation = activation,
                  .chunks = (outputs + size - 1) / size, .size = size});
}

static void all_layers(Decoder *d) {
    const Model *m = &d->model;
    int64_t width = m->width;
    for (int64_t b = 0; b < d->step.rows; b++)
        for (int64_t i = 0; i < width; i++)
            d->x[b * width + i] = m->embedding[d->step.tokens[b] * width + i] + (d->step.place ? d->step.place[i] : 0);
    for (int64_t i = 0; i < m->layers; i++) {
        const Layer *layer = &m->layer[i];
        const float *in = m->post ? d->x : d->normed;
        if (!m->post)
            norm(d, &layer->attention_norm, d->x, d->normed);
        linear(d, &layer->qkv, in, d->projected, 0, NO_ACTIVATION);
        run(d, (Task){.kind = ATTENTION, .layer = i, .chunks = d->step.rows * m->kv_heads});
        linear(d, &layer->out, d->attended, d->x, 1, NO_ACTIVATION);
        if (m->post)
            norm(d, &layer->attention_norm, d->x, d->x);
        if (!layer->up.out)
            continue;
        if (!m->post)
            norm(d, &layer->mlp_norm, d->x, d->normed);
        linear(d, &layer->up, in, d->hidden, 0, m->activation);
        linear(d, &layer->down, d->hidden, d->x, 1, NO_ACTIVATION);
        if (m->post)
            norm(d, &layer->mlp_norm, d->x, d->x);
    }
    if (m->norm.gain)
        norm(d, &m->norm, d->x, d->normed);
    linear(d, &m->head, m->norm.gain ? d->normed : d->x, d->step.logits, 0, NO_ACTIVATION);
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Memory for so many rows and positions; 0, or -1 where there is none. */
static int have_memory(Decoder *d, int64_t rows, int64_t positions) {
    if (rows <= d->rows && positions <= d->positions)
        return 0;
    rows = larger(rows, d->rows), positions = larger(positions, d->positions);
    const Model *m = &d->model;
    int64_t merged = m->heads * m->head_width, most = larger(larger(m->width, merged), m->hidden);
    int64_t groups = groups_of(most), products = larger(m->width, 2 * m->hidden);
    int64_t sizes[] = {m->width, m->width, merged + 2 * m->kv_heads * m->head_width, merged, m->hidden, products,
                       m->heads * positions, groups, groups * GROUP / 2};
    enum { BUFFERS = sizeof sizes / sizeof *sizes };
    float **buffers[BUFFERS] = {&d->x, &d->normed, &d->projected, &d->attended, &d->hidden, &d->products, &d->scores,
                                &d->input_scales, (float **)&d->input};
    int64_t total = 0;
    for (int i = 0; i < BUFFERS; i++)
        total += (sizes[i] * rows + 15) / 16 * 16; /* each begins at a line of the caches */
    float *memory = aligned_alloc(64, total * sizeof *memory);
    if (!memory)
        return -1;
    free(d->memory);
    d->memory = memory, d->rows = rows, d->positions = positions;
    for (int i = 0; i < BUFFERS; memory += (sizes[i++] * rows + 15) / 16 * 16)
        *buffers[i] = memory;
    return 0;
}

enum { DONE, NO_MEMORY, NO_SUCH_TOKEN };

/* Compute logits, and keys and values of the position in the cache: DONE, or why not. One caller at a time. */
int decode_step(Decoder *d, const Step *step) {
    for (int64_t b = 0; b < step->rows; b++)
        if (step->tokens[b] < 0 || step->tokens[b] >= d->model.vocabulary)
            return NO_SUCH_TOKEN;
    if (have_memory(d, step->rows, step->positions))
        return NO_MEMORY;
    d->step = *step;
    int64_t workers = step->threads - 1;
    if (workers > 0) {
        have_workers(d, workers);
        atomic_store(&d->wanted, workers < d->workers ? workers : d->workers);
        wake_workers(d);
    }
    all_layers(d);
    atomic_store(&d->wanted, 0);
    return DONE;
}

/* A decoder over weights that stay where they are until it is closed; NULL where there is no memory. */
Decoder *decode_open(const Model *model, const char *limit) {
    Decoder *d = aligned_alloc(64, sizeof *d);
    Layer *layers = malloc(model->layers * sizeof *layers);
    if (!d || !layers) {
        free(d), free(layers);
        return NULL;
    }
    memset(d, 0, sizeof *d);
    memcpy(layers, model->layer, model->layers * sizeof *layers);
    d->model = *model;
    d->model.layer = layers;
    d->work = WORK[kind_within(limit)];
    d->head_scale = 1.0f / sqrtf((float)model->head_width);
    return d;
}

void decode_close(Decoder *d) {
    if (d->workers && d->process == getpid()) {
        atomic_store(&d->stopping, 1);
        pthread_mutex_lock(&d->lock);
        pthread_cond_broadcast(&d->wake);
        pthread_mutex_unlock(&d->lock);
        for (int64_t i = 0; i < d->workers; i++)
            pthread_join(d->pool[i], NULL);
    }
    free(d->pool), free(d->memory), free((void *)d->model.layer), free(d);
}
