{
  # The same addon through node-gyp, CPU only; the folders are those of CMakeLists.txt, so the two cannot drift.
  'variables': {
    'isas%': ['base', 'avx2', 'avx512'],
  },
  'target_defaults': {
    'cflags_cc!': ['-fno-rtti', '-fno-exceptions', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=gnu++17', '-O3', '-fexceptions', '-frtti', '-fvisibility=hidden', '-Wall', '-Wextra',
                  '-Wno-psabi', '-fno-math-errno', '-fno-trapping-math'],
    'cflags': ['-fPIC', '-pthread'],
    'include_dirs': ['native'],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'OTHER_CPLUSPLUSFLAGS': ['-fno-math-errno', '-fno-trapping-math'],
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
    },
  },
  'targets': [
    {
      'target_name': 'hrm',
      'sources': ['<!@(node scripts/list_sources.mjs native/core native/ops native/cpu native/binding)'],
      'dependencies': ['hrm_simd_base'],
      'ldflags': ['-pthread'],
      'conditions': [
        ['target_arch=="x64"', {'dependencies': ['hrm_simd_avx2', 'hrm_simd_avx512']}],
      ],
    },
    {
      'target_name': 'hrm_simd_base',
      'type': 'static_library',
      'sources': ['<!@(node scripts/list_sources.mjs native/cpu/simd)'],
      'defines': ['HRM_ISA=base'],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'hrm_simd_avx2',
          'type': 'static_library',
          'sources': ['<!@(node scripts/list_sources.mjs native/cpu/simd)'],
          'defines': ['HRM_ISA=avx2'],
        },
        {
          'target_name': 'hrm_simd_avx512',
          'type': 'static_library',
          'sources': ['<!@(node scripts/list_sources.mjs native/cpu/simd)'],
          'defines': ['HRM_ISA=avx512'],
        },
      ],
    }],
  ],
}
