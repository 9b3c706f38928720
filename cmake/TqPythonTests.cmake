# SPDX-License-Identifier: Apache-2.0
# Tests with Python peers: one ctest test a pytest file. They drive the program of the build they belong to and skip
# with a sentence where scripts/python-env has not made the Python environment.
find_package(Python3 3.10 COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  message(STATUS "no Python 3.10 or later: the tests with Python peers are shown as skipped")
endif()

# tq_add_python_test(NAME FILE LABEL): FILE is a pytest file below tests/. The label `interop` keeps a test out of the
# runs under sanitizers.
function(tq_add_python_test name file label)
  if(Python3_FOUND)
    add_test(NAME ${name}
             COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/interop/run_pytest.py
                     ${PROJECT_SOURCE_DIR}/build/python ${PROJECT_SOURCE_DIR}/tests/${file})
  else()
    add_test(NAME ${name}
             COMMAND sh -c "echo 'skipped ${file}: there is no Python 3.10 or later'; exit 77")
  endif()
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "TQ_BIN=$<TARGET_FILE:tq>;TQ_PYTHON_ENV=${PROJECT_SOURCE_DIR}/build/python"
    LABELS ${label}
    SKIP_RETURN_CODE 77
    PROCESSORS 2
    TIMEOUT 1200)
endfunction()
