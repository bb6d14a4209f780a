// The loops of the elementwise ops on floating dtypes. What is compiled for each op is a loop over whole vectors
// (a Kernel, one for float and one for double); everything else (strides, bfloat16, the ends of rows) is shared by all
// ops in elementwise.cpp and brings operands into that form through small tiles. Every element goes through the
// vector functions, wherever it stands in memory. Integers: cpu/elementwise_integer.cpp. Include after lanes.h.
#ifndef HRM_CPU_SIMD_ELEMENTWISE_H_
#define HRM_CPU_SIMD_ELEMENTWISE_H_

namespace hrm::cpu::HRM_ISA {

/** Operand of a Kernel: numbers side by side (step 1), or one number in all lanes of one register (step 0). */
template <class A> struct Source {
  const A *p;
  int64_t step;
};

/** r[i] = f(in[0][i], in[1][i], ...) for n elements, a multiple of the lanes; r may be an operand. R: what a vector of
 * A gives, A itself or the mask of a comparison. */
template <class A, class R> using Kernel = void (*)(const void *f, R *r, const Source<A> *in, int64_t n);

/** The kernels of one op. */
struct Kernels {
  Kernel<float, float> f32;
  Kernel<double, double> f64;
};
struct CompareKernels {
  Kernel<float, int32_t> f32;
  Kernel<double, int64_t> f64;
};

/** f over the first nOperands inputs, which are broadcast to the shape of the result and have its dtype. */
void run_elementwise(Call &call, int nOperands, const void *f, const Kernels &kernels);
/** The same where the result is bool. */
void run_compare(Call &call, const void *f, const CompareKernels &kernels);

template <class F, class A> void unary_kernel(const void *f, A *r, const Source<A> *in, int64_t n) {
  const F op = *static_cast<const F *>(f);
  const A *a = in[0].p;
  const int64_t step = in[0].step;
  for (int64_t i = 0; i < n; i += kLanes<A>)
    store(r + i, op.template of<VecMath>(load(a + i * step)));
}

template <class F, class A> void binary_kernel(const void *f, A *r, const Source<A> *in, int64_t n) {
  const F op = *static_cast<const F *>(f);
  const A *a = in[0].p, *b = in[1].p;
  const int64_t stepA = in[0].step, stepB = in[1].step;
  // One index instead of three pointers: what most calls are.
  if (std::is_same_v<A, float> && stepA == 1 && stepB == 1) {
    for (int64_t i = 0; i < n; i += kLanes<A>)
      store(r + i, op.template of<VecMath>(load(a + i), load(b + i)));
    return;
  }
  for (int64_t i = 0; i < n; i += kLanes<A>)
    store(r + i, op.template of<VecMath>(load(a + i * stepA), load(b + i * stepB)));
}

template <class F, class A> void compare_kernel(const void *, mask_int<A> *r, const Source<A> *in, int64_t n) {
  const A *a = in[0].p, *b = in[1].p;
  const int64_t stepA = in[0].step, stepB = in[1].step;
  for (int64_t i = 0; i < n; i += kLanes<A>)
    store(r + i, F{}(load(a + i * stepA), load(b + i * stepB)));
}

#if HRM_HAS_F64
#define HRM_KERNELS(kernel, F) {&kernel<F, float>, &kernel<F, double>}
#else
#define HRM_KERNELS(kernel, F) {&kernel<F, float>, nullptr}
#endif

template <class F> void run_unary(Call &call, const F &f) {
  run_elementwise(call, 1, &f, HRM_KERNELS(unary_kernel, F));
}
template <class F> void run_binary(Call &call, const F &f) {
  run_elementwise(call, 2, &f, HRM_KERNELS(binary_kernel, F));
}

} // namespace hrm::cpu::HRM_ISA

#endif // HRM_CPU_SIMD_ELEMENTWISE_H_
