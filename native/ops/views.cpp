// The views of ops.def: no kernel, so this is all there is beside their rules.
#include "ops/registry.h"
#include "ops/reshape.h"

namespace hrm::views {

#define HRM_DEFINE_VIEW(name, ...)                                                                                     \
  const std::vector<AttrSpec> &name##_attrs() {                                                                        \
    using Attrs = ops::name::Attrs;                                                                                    \
    static const std::vector<AttrSpec> attrs = {__VA_ARGS__};                                                          \
    return attrs;                                                                                                      \
  }                                                                                                                    \
  bool name(const Tensor &in, const void *attrs, Tensor &out) {                                                        \
    return ops::name::view(in, *static_cast<const ops::name::Attrs *>(attrs), out);                                    \
  }

HRM_DEFINE_VIEW(reshape, HRM_ATTR(Attrs, shape))
HRM_DEFINE_VIEW(permute, HRM_ATTR(Attrs, dims))
HRM_DEFINE_VIEW(slice, HRM_ATTR(Attrs, dim), HRM_ATTR(Attrs, start), HRM_ATTR(Attrs, stop), HRM_ATTR(Attrs, step))
HRM_DEFINE_VIEW(expand, HRM_ATTR(Attrs, shape))

} // namespace hrm::views
