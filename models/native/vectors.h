/* What decode.c and train.c share: kinds of processor, and loops that compilers make vector code of.
 *
 * All that computes is inlined into one function for each kind of processor, and so compiled once for each of them; the
 * best that this one has is chosen when it runs.
 */

#ifndef MINIGPT_VECTORS_H
#define MINIGPT_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline)) /* compiled within each kind of processor's functions */
#define LANES 16 /* numbers side by side, a whole number of any processor's vectors */

/* ---------------------------------------------------------------------------------------------- kinds of processor */

#if defined(__x86_64__) && defined(__GNUC__) /* clang has both, too */
#define HAS_KINDS 1
#define FOR_AVX2 __attribute__((target("avx2,fma")))
#define FOR_AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define HAS_KINDS 0
#endif

enum { PLAIN, AVX2, AVX512, KINDS };

/* The best kind that is here, not better than the one that `limit` names ("" for no limit; nor does an unknown name). */
static inline int kind_within(const char *limit) {
    int best = PLAIN;
#if HAS_KINDS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        best = AVX2;
    if (best == AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        best = AVX512;
#endif
    int most = !strcmp(limit, "plain") ? PLAIN : !strcmp(limit, "avx2") ? AVX2 : AVX512;
    return best < most ? best : most;
}

/* ------------------------------------------------------------------------------------------------------- functions */

/* e^x of n numbers by a polynomial, to about 1e-7 of each: loops like these become vector code, calls of expf do not.
 * The range has a loop of its own, because compilers make branches of it otherwise. */
INLINE void exp_all(float *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] < -87.0f ? -87.0f : x[i];
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] > 88.0f ? 88.0f : x[i];
    for (int64_t i = 0; i < n; i++) {
        float y = x[i] * 1.44269504f;
        int32_t power = (int32_t)(y + copysignf(0.5f, y));
        float rest = (y - (float)power) * 0.693147181f;
        union { uint32_t bits; float number; } scale = {(uint32_t)(power + 127) << 23};
        x[i] = scale.number * (1.0f + rest * (1.0f + rest * (0.5f + rest * (0.166666667f + rest * (0.0416666667f + rest *
               (0.00833333333f + rest * 0.00138888889f))))));
    }
}

/* x = softmax(x), n numbers */
INLINE void softmax(float *restrict x, int64_t n) {
    float largest[LANES], sums[LANES] = {0}, most = x[0], sum = 0;
    for (int j = 0; j < LANES; j++)
        largest[j] = x[0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            largest[j] = x[i + j] > largest[j] ? x[i + j] : largest[j];
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int j = 0; j < LANES; j++)
        most = largest[j] > most ? largest[j] : most;
    for (i = 0; i < n; i++)
        x[i] -= most;
    exp_all(x, n);
    for (i = 0; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += x[i + j];
    for (; i < n; i++)
        sum += x[i];
    for (int j = 0; j < LANES; j++)
        sum += sums[j];
    float inverse = 1.0f / sum;
    for (i = 0; i < n; i++)
        x[i] *= inverse;
}

#endif
