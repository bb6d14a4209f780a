#include "binding/convert.h"

#include <cmath>
#include <sstream>

namespace hrm::binding {

namespace {
napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type), "typeof");
  return type;
}
} // namespace

std::string describe(napi_env env, napi_value value) {
  constexpr size_t kShown = 40;
  switch (type_of(env, value)) {
  case napi_undefined:
    return "undefined";
  case napi_null:
    return "null";
  case napi_boolean: {
    bool flag = false;
    napi_get_value_bool(env, value, &flag);
    return flag ? "true" : "false";
  }
  case napi_number: {
    double number = 0;
    napi_get_value_double(env, value, &number);
    std::ostringstream out;
    out.precision(17);
    out << number;
    return out.str();
  }
  case napi_string: {
    char text[kShown + 1] = {};
    napi_get_value_string_utf8(env, value, text, sizeof text, nullptr);
    return '"' + std::string(text) + '"';
  }
  case napi_symbol:
    return "a symbol";
  case napi_function:
    return "a function";
  case napi_bigint:
    return "a bigint";
  default: {
    bool is_array = false;
    uint32_t length = 0;
    if (napi_is_array(env, value, &is_array) == napi_ok && is_array &&
        napi_get_array_length(env, value, &length) == napi_ok)
      return "an array of length " + std::to_string(length);
    return "an object";
  }
  }
}

double to_double(napi_env env, napi_value value, const char *op, const char *name) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    fail(Code::kArgument, op, ": ", name, " must be a number, got ", describe(env, value));
  return number;
}

int64_t to_int(napi_env env, napi_value value, const char *op, const char *name, int64_t min, int64_t max) {
  const double number = to_double(env, value, op, name);
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) || number != std::floor(number))
    fail(Code::kArgument, op, ": ", name, " must be an integer in ", min, "..", max, ", got ", number);
  return static_cast<int64_t>(number);
}

bool to_bool(napi_env env, napi_value value, const char *op, const char *name) {
  bool flag;
  if (napi_get_value_bool(env, value, &flag) != napi_ok)
    fail(Code::kArgument, op, ": ", name, " must be a boolean, got ", describe(env, value));
  return flag;
}

Dims to_dims(napi_env env, napi_value value, const char *op, const char *name) {
  bool is_array = false;
  check(napi_is_array(env, value, &is_array), "isArray");
  uint32_t length = 0;
  if (!is_array || napi_get_array_length(env, value, &length) != napi_ok)
    fail(Code::kArgument, op, ": ", name, " must be an array of integers, got ", describe(env, value));
  if (length > kMaxRank)
    fail(Code::kShape, op, ": ", name, " has ", length, " entries, a tensor has at most ", kMaxRank, " dimensions");
  Dims dims;
  for (uint32_t i = 0; i < length; ++i) {
    napi_value item;
    check(napi_get_element(env, value, i, &item), "array element");
    dims.push(to_int(env, item, op, name));
  }
  return dims;
}

DType to_dtype(napi_env env, napi_value value, const char *op, const char *name) {
  return static_cast<DType>(to_int(env, value, op, name, 0, kNumDTypes - 1));
}

const Tensor &to_tensor(napi_env env, EnvState &state, napi_value value, const char *op, const char *name) {
  double id;
  if (napi_get_value_double(env, value, &id) != napi_ok)
    fail(Code::kArgument, op, ": ", name, " must be a tensor, got ", describe(env, value));
  const Tensor *tensor = id >= 0 && id <= static_cast<double>(kMaxSize) && id == std::floor(id)
                             ? state.handles.find(static_cast<uint64_t>(id))
                             : nullptr;
  if (tensor == nullptr)
    fail(Code::kDisposed, op, ": ", name, " has been disposed");
  return *tensor;
}

bool is_nullish(napi_env env, napi_value value) {
  const napi_valuetype type = type_of(env, value);
  return type == napi_undefined || type == napi_null;
}

void set_attr(napi_env env, napi_value value, const char *op, const AttrSpec &spec, void *attrs) {
  char *field = static_cast<char *>(attrs) + spec.offset;
  switch (spec.kind) {
  case AttrKind::kInt:
    *reinterpret_cast<int64_t *>(field) = to_int(env, value, op, spec.name);
    return;
  case AttrKind::kFloat:
    *reinterpret_cast<double *>(field) = to_double(env, value, op, spec.name);
    return;
  case AttrKind::kBool:
    *reinterpret_cast<bool *>(field) = to_bool(env, value, op, spec.name);
    return;
  case AttrKind::kDims:
    *reinterpret_cast<Dims *>(field) = to_dims(env, value, op, spec.name);
    return;
  case AttrKind::kDType:
    *reinterpret_cast<DType *>(field) = to_dtype(env, value, op, spec.name);
    return;
  }
}

napi_value from_double(napi_env env, double value) {
  napi_value result;
  check(napi_create_double(env, value, &result), "create number");
  return result;
}

napi_value from_dims(napi_env env, const Dims &dims) {
  napi_value array;
  check(napi_create_array_with_length(env, static_cast<size_t>(dims.rank), &array), "create array");
  for (int i = 0; i < dims.rank; ++i)
    check(napi_set_element(env, array, static_cast<uint32_t>(i), from_double(env, static_cast<double>(dims[i]))),
          "set element");
  return array;
}

napi_value from_string(napi_env env, const std::string &text) {
  napi_value result;
  check(napi_create_string_utf8(env, text.data(), text.size(), &result), "create string");
  return result;
}

void set_named(napi_env env, napi_value object, const char *name, napi_value value) {
  check(napi_set_named_property(env, object, name, value), "set property");
}
void set_number(napi_env env, napi_value object, const char *name, double value) {
  set_named(env, object, name, from_double(env, value));
}

} // namespace hrm::binding
