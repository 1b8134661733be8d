/* Stands in for libcublas.so.12: passes the eight functions that FAISS calls on to CUDA 13's library,
   whose path is in CUBLAS13. Only for the checks of this folder. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *library(void) {
  static void *found;
  if (!found) {
    const char *path = getenv("CUBLAS13");
    found = dlopen(path ? path : "libcublas.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!found) {
      fprintf(stderr, "cublas_forward: %s\n", dlerror());
      abort();
    }
  }
  return found;
}

/* All arguments are integers or pointers; more than a function has do no harm. */
#define FORWARD(name)                                                                             \
  long name(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j,       \
            long k, long l, long m, long n, long o, long p, long q, long r, long s, long t,       \
            long u, long v, long w) {                                                                     \
    static long (*call)();                                                                        \
    if (!call) call = (long (*)())dlsym(library(), #name);                                        \
    return call(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w);                \
  }

FORWARD(cublasCreate_v2)
FORWARD(cublasDestroy_v2)
FORWARD(cublasGemmEx)
FORWARD(cublasGemmStridedBatchedEx)
FORWARD(cublasGetMathMode)
FORWARD(cublasSetMathMode)
FORWARD(cublasSetStream_v2)
FORWARD(cublasSgemmEx)
