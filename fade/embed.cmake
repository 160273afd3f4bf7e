# Writes the files of fade/web as a C source, net/api/pages.h's PAGE_DATA, so that the binary serves them
# without a folder beside it. Run at build time:
#   cmake -DOUTPUT=FILE.c -DGZIP=PROGRAM "-DFILES=a;b;c" -P embed.cmake
# A file gets a second, compressed form where that saves a tenth of it or more. A page's style sheet
# goes into the page, which saves a request before it shows anything. The policy then allows exactly
# that style, by its hash. From a folder (--fade-dir) the same page loads the sheet.

set(TYPES "\\.(html|css|js|svg|json|txt|png|ico|webmanifest)$")

# The bytes of a file as the inside of an array, and a last zero, for a C array is never empty.
function(read_bytes path ret_bytes)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
        bytes "${bytes}")
    set(${ret_bytes} "${bytes}0" PARENT_SCOPE)
endfunction()

# 64 hex digits, a SHA-256, in base64: 32 bytes and one of padding are eleven groups of four digits.
function(hex_to_base64 hex ret_text)
    set(digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    set(text "")
    foreach(at RANGE 0 60 6)
        string(SUBSTRING "${hex}00" ${at} 6 group)
        foreach(shift 18 12 6 0)
            math(EXPR index "(0x${group} >> ${shift}) & 63")
            string(SUBSTRING ${digits} ${index} 1 digit)
            string(APPEND text ${digit})
        endforeach()
    endforeach()
    string(SUBSTRING ${text} 0 43 text)
    set(${ret_text} "${text}=" PARENT_SCOPE)
endfunction()

# The page with its style sheet inside, in a file of its own, and what the policy calls that style; the
# page as it is, and NULL, where it loads none.
function(inline_style path ret_path ret_style)
    set(${ret_path} ${path} PARENT_SCOPE)
    set(${ret_style} "NULL" PARENT_SCOPE)
    if(NOT path MATCHES "\\.html$")
        return()
    endif()
    file(READ ${path} page)
    string(REGEX MATCH "<link rel=\"stylesheet\" href=\"([a-z]+\\.css)\">" link "${page}")
    if(link STREQUAL "")
        return()
    endif()
    get_filename_component(folder ${path} DIRECTORY)
    file(READ ${folder}/${CMAKE_MATCH_1} style)
    string(SHA256 hash "${style}")
    hex_to_base64(${hash} hash)
    string(REPLACE "${link}" "<style>${style}</style>" page "${page}")
    file(WRITE ${OUTPUT}.html "${page}")
    set(${ret_path} ${OUTPUT}.html PARENT_SCOPE)
    set(${ret_style} "\"'sha256-${hash}'\"" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
foreach(path IN LISTS FILES)
    get_filename_component(name ${path} NAME)
    if(NOT name MATCHES "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" OR NOT name MATCHES "${TYPES}")
        message(FATAL_ERROR "${path}: a page's name is letters, digits, '.', '_' and '-', "
            "and ends in a type that net/api/pages.c knows")
    endif()
    inline_style(${path} path style)
    file(SIZE ${path} size)
    file(SHA256 ${path} hash)
    string(SUBSTRING ${hash} 0 32 hash)
    read_bytes(${path} bytes)
    string(APPEND arrays "static const uint8_t file_${number}[] = {\n${bytes}};\n")

    set(packed "NULL, 0")
    set(packed_file ${OUTPUT}.gz)
    # Neither name nor time in the header: the same bytes at each build.
    execute_process(COMMAND ${GZIP} -9 -n -c ${path} OUTPUT_FILE ${packed_file}
        COMMAND_ERROR_IS_FATAL ANY)
    file(SIZE ${packed_file} packed_size)
    math(EXPR tenths "${size} * 9 / 10")
    if(packed_size LESS tenths)
        read_bytes(${packed_file} bytes)
        string(APPEND arrays "static const uint8_t packed_${number}[] = {\n${bytes}};\n")
        set(packed "packed_${number}, ${packed_size}")
    endif()
    file(REMOVE ${packed_file})
    string(APPEND rows "    {\"${name}\", \"${hash}\", file_${number}, ${size}, ${packed},\n        ${style}},\n")
    math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT} "/* Made by fade/embed.cmake from fade/web. */
#include \"net/api/pages.h\"

${arrays}
const struct page_data PAGE_DATA[] = {
${rows}    {NULL, NULL, NULL, 0, NULL, 0, NULL},
};
")
file(REMOVE ${OUTPUT}.html)
